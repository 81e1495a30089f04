/**
 * The NE2000: a DP8390 controller with a PROM and 16 KiB of packet memory, behind 32 I/O ports and an interrupt line.
 *
 * A transmission is over when the command register has been written; nothing collides on our cables. A received frame
 * is in the ring when `receive` returns. Frames shorter than 60 bytes are padded on the way in, as their sender would
 * have.
 *
 * Read: DP8390D data sheet, chapters 7 to 12. Where it says nothing, QEMU's `ne2k_isa` is followed.
 */

import type { Device, InterruptLine, PortRange, Width } from '../device.ts';
import type { Cable, NetworkPort } from '../network/cable.ts';
import { AddressFilter, isGroup } from './address-filter.ts';
import { LoopbackFifo } from './loopback.ts';
import { ADDRESS_BYTES, CardMemory } from './memory.ts';
import { ReceiveRing } from './receive-ring.ts';
import {
  COMMAND,
  CR,
  DATA,
  INTERRUPT,
  PAGE_1,
  PORT,
  READ_0,
  READ_2,
  RECEIVE,
  RECEIVE_STATUS,
  REMOTE,
  TRANSMIT,
  TRANSMIT_STATUS,
  WRITE_0,
} from './registers.ts';
import { RemoteDma } from './remote-dma.ts';
import { TallyCounter } from './tally.ts';

/** The station address in the PROM when nothing else is said: QEMU's. */
export const DEFAULT_STATION_ADDRESS: readonly number[] = [0x52, 0x54, 0x00, 0x12, 0x34, 0x56];

const MINIMUM_FRAME_BYTES = 60;
/** What the registers say that the data sheet reserves: an RTL8029, as QEMU has it. */
const IDENTIFICATION = [0x50, 0x43] as const;
const CONFIGURATION: Readonly<Record<number, number>> = { 5: 0x40, 6: 0x40 };
/** The command register after a reset: stopped, no remote DMA. */
const STOPPED = COMMAND.STP | REMOTE.ABORT;

/** What the card is made of. */
export interface Ne2000Options {
  /** The first of its 32 ports. */
  readonly base: number;
  readonly line: InterruptLine;
  /** Connected by whoever builds the machine, to this card. */
  readonly cable: Cable;
  /** The station address in the PROM, six bytes. Default: `DEFAULT_STATION_ADDRESS`. */
  readonly address?: readonly number[];
}

/** The card on the port bus. */
export class Ne2000 implements Device, NetworkPort {
  readonly name = 'ne2000';
  readonly ports: readonly PortRange[];
  /** The data port takes 16 and 32 bits at once. */
  readonly widePorts: readonly PortRange[];
  readonly #base: number;
  readonly #line: InterruptLine;
  readonly #cable: Cable;
  readonly #memory: CardMemory;
  readonly #ring: ReceiveRing;
  readonly #dma: RemoteDma;
  readonly #filter = new AddressFilter();
  readonly #fifo = new LoopbackFifo();
  /** CNTR1 and CNTR2. CNTR0, alignment errors, never counts: bytes on our cables come whole. */
  #checkErrors = new TallyCounter();
  #missed = new TallyCounter();
  #command = STOPPED;
  #interruptStatus = 0;
  #interruptMask = 0;
  #dataConfiguration = 0;
  #transmitConfiguration = 0;
  #transmitStatus = 0;
  /** TPSR and TBCR: page of the packet to send, and its length. */
  #transmitPage = 0;
  #transmitCount = 0;
  #receiveConfiguration = 0;
  #receiveStatus = 0;
  /** The cable was told that there is no room. */
  #cableWaits = false;

  constructor(options: Ne2000Options) {
    const { base, line, cable } = options;
    const address = Uint8Array.from(options.address ?? DEFAULT_STATION_ADDRESS);
    if (address.length !== ADDRESS_BYTES) throw new RangeError(`a station address has ${ADDRESS_BYTES} bytes`);
    this.#base = base;
    this.#line = line;
    this.#cable = cable;
    this.ports = [{ first: base, last: base + PORT.count - 1 }];
    this.widePorts = [{ first: base + PORT.data, last: base + PORT.data }];
    this.#memory = new CardMemory(address);
    this.#ring = new ReceiveRing(this.#memory);
    this.#dma = new RemoteDma(this.#memory, this.#ring, () => this.#raise(INTERRUPT.RDC));
    this.reset();
  }

  read(port: number, width: Width): number {
    const offset = port - this.#base;
    if (offset === PORT.data) {
      const value = this.#dma.read(width);
      this.#afterChange();
      return value;
    }
    if (width !== 1) return width === 2 ? 0xffff : 0xffff_ffff;
    if (offset === PORT.reset) {
      this.#resetController();
      return 0;
    }
    return offset < PORT.data ? this.#readRegister(offset) : 0xff;
  }

  write(port: number, width: Width, value: number): void {
    const offset = port - this.#base;
    if (offset === PORT.data) this.#dma.write(width, value);
    else if (width === 1 && offset === CR) this.#writeCommand(value);
    else if (width === 1 && offset < PORT.data) this.#writeRegister(offset, value);
    this.#afterChange();
  }

  readBlock(port: number, width: Width, target: Buffer): void {
    if (port - this.#base === PORT.data) {
      this.#dma.readRun(width, target);
      this.#afterChange();
      return;
    }
    for (let at = 0; at < target.length; at += width) target.writeUIntLE(this.read(port, width), at, width);
  }

  writeBlock(port: number, width: Width, source: Buffer): void {
    if (port - this.#base === PORT.data) {
      this.#dma.writeRun(width, source);
      this.#afterChange();
      return;
    }
    for (let at = 0; at < source.length; at += width) this.write(port, width, source.readUIntLE(at, width));
  }

  /** Power-on: memory and all registers are empty, then the reset of the controller. */
  reset(): void {
    this.#memory.clear();
    this.#ring.reset();
    this.#dma.reset();
    this.#filter.reset();
    this.#fifo.reset();
    this.#checkErrors = new TallyCounter();
    this.#missed = new TallyCounter();
    this.#dataConfiguration = 0;
    this.#transmitConfiguration = 0;
    this.#transmitStatus = 0;
    this.#transmitPage = 0;
    this.#transmitCount = 0;
    this.#receiveConfiguration = 0;
    this.#receiveStatus = 0;
    this.#resetController();
  }

  ready(): boolean {
    const ready = !this.#receiving || (this.#receiveConfiguration & RECEIVE.MON) !== 0 || this.#ring.ready;
    this.#cableWaits = !ready;
    return ready;
  }

  receive(frame: Uint8Array): void {
    if (!this.#receiving) return;
    const whole = frame.length < MINIMUM_FRAME_BYTES ? padded(frame) : frame;
    const destination = whole.subarray(0, ADDRESS_BYTES);
    if (!this.#filter.accepts(destination, this.#receiveConfiguration)) return;
    const kind = isGroup(destination) ? RECEIVE_STATUS.PHY : 0;
    const monitoring = (this.#receiveConfiguration & RECEIVE.MON) !== 0;
    if (!monitoring && this.#ring.store(whole, RECEIVE_STATUS.PRX | kind)) {
      this.#receiveStatus = RECEIVE_STATUS.PRX | kind;
      this.#raise(INTERRUPT.PRX);
      return;
    }
    this.#receiveStatus = RECEIVE_STATUS.MPA | kind;
    if (this.#missed.count()) this.#raise(INTERRUPT.CNT);
    if (!monitoring) this.#raise(INTERRUPT.OVW);
  }

  /** Started, and connected to the cable and not to itself. */
  get #receiving(): boolean {
    return (this.#command & COMMAND.STP) === 0 && (this.#transmitConfiguration & TRANSMIT.LOOPBACK) === 0;
  }

  /** A hardware reset: the table "register reset" of 10.3; other registers and the memory keep what they have. */
  #resetController(): void {
    this.#command = STOPPED;
    this.#dma.abort();
    this.#interruptStatus = INTERRUPT.RST;
    this.#interruptMask = 0;
    this.#dataConfiguration &= ~DATA.LAS;
    this.#transmitConfiguration &= ~TRANSMIT.LOOPBACK;
    this.#updateLine();
    this.#afterChange();
  }

  #raise(interrupt: number): void {
    this.#interruptStatus |= interrupt;
    this.#updateLine();
  }

  #updateLine(): void {
    this.#line.set((this.#interruptStatus & this.#interruptMask & INTERRUPT.ALL) !== 0);
  }

  /** The driver may have made room in the ring. */
  #afterChange(): void {
    if (this.#cableWaits && this.ready()) this.#cable.receiveReady();
  }

  #writeCommand(value: number): void {
    this.#command = value;
    if ((value & COMMAND.STP) !== 0) {
      this.#dma.abort();
      this.#raise(INTERRUPT.RST);
      return;
    }
    this.#interruptStatus &= ~INTERRUPT.RST;
    this.#commandRemoteDma(value & COMMAND.REMOTE);
    if ((value & COMMAND.TXP) !== 0) this.#transmit();
  }

  #commandRemoteDma(field: number): void {
    if ((field & REMOTE.ABORT) !== 0) this.#dma.abort();
    else if (field === REMOTE.READ || field === REMOTE.WRITE) this.#dma.start();
    else if (field === REMOTE.SEND_PACKET) this.#dma.sendPacket();
  }

  #transmit(): void {
    const packet = this.#memory.read(this.#transmitPage << 8, this.#transmitCount);
    this.#command &= ~COMMAND.TXP;
    if ((this.#transmitConfiguration & TRANSMIT.LOOPBACK) !== 0) {
      this.#transmitToSelf(packet);
    } else {
      if (packet.length > 0) this.#cable.send(packet);
      this.#transmitStatus = TRANSMIT_STATUS.PTX | (this.#cable.linked ? 0 : TRANSMIT_STATUS.CRS);
    }
    this.#raise(INTERRUPT.PTX);
  }

  #transmitToSelf(packet: Buffer): void {
    const accepts = (destination: Uint8Array): boolean => this.#filter.accepts(destination, this.#receiveConfiguration);
    const result = this.#fifo.transmit(packet, this.#transmitConfiguration, this.#dataConfiguration, accepts);
    if (result.toCable && packet.length > 0) this.#cable.send(packet);
    this.#transmitStatus = result.transmitStatus;
    this.#receiveStatus = result.receiveStatus;
    if ((result.receiveStatus & RECEIVE_STATUS.CRC) === 0) return;
    if (this.#checkErrors.count()) this.#raise(INTERRUPT.CNT);
    this.#raise(INTERRUPT.RXE);
  }

  #readRegister(offset: number): number {
    if (offset === CR) return this.#command;
    const page = this.#command >>> COMMAND.PAGE_SHIFT;
    if (page === 0) return this.#readPage0(offset);
    if (page === 1) return this.#readPage1(offset);
    return page === 2 ? this.#readPage2(offset) : (CONFIGURATION[offset] ?? 0);
  }

  #readPage0(offset: number): number {
    switch (offset) {
      case READ_0.CLDA0:
        return this.#ring.localAddress & 0xff;
      case READ_0.CLDA1:
        return this.#ring.localAddress >>> 8;
      case READ_0.BNRY:
        return this.#ring.boundary;
      case READ_0.TSR:
        return this.#transmitStatus;
      case READ_0.FIFO:
        return (this.#transmitConfiguration & TRANSMIT.LOOPBACK) === 0 ? 0 : this.#fifo.read();
      case READ_0.ISR:
        return this.#interruptStatus;
      case READ_0.CRDA0:
        return this.#dma.address & 0xff;
      case READ_0.CRDA1:
        return this.#dma.address >>> 8;
      case READ_0.ID0:
        return IDENTIFICATION[0];
      case READ_0.ID1:
        return IDENTIFICATION[1];
      case READ_0.RSR:
        return this.#receiveStatus | ((this.#receiveConfiguration & RECEIVE.MON) === 0 ? 0 : RECEIVE_STATUS.DIS);
      case READ_0.CNTR1:
        return this.#checkErrors.take();
      case READ_0.CNTR2:
        return this.#missed.take();
      default:
        // NCR: no collisions. CNTR0: no alignment errors.
        return 0;
    }
  }

  #readPage1(offset: number): number {
    if (offset <= PAGE_1.PAR5) return this.#filter.physical[offset - PAGE_1.PAR0] ?? 0;
    return offset === PAGE_1.CURR ? this.#ring.current : (this.#filter.multicast[offset - PAGE_1.MAR0] ?? 0);
  }

  #readPage2(offset: number): number {
    switch (offset) {
      case READ_2.PSTART:
        return this.#ring.start;
      case READ_2.PSTOP:
        return this.#ring.stop;
      case READ_2.TPSR:
        return this.#transmitPage;
      case READ_2.RCR:
        return this.#receiveConfiguration;
      case READ_2.TCR:
        return this.#transmitConfiguration;
      case READ_2.DCR:
        return this.#dataConfiguration;
      case READ_2.IMR:
        return this.#interruptMask;
      default:
        return 0;
    }
  }

  #writeRegister(offset: number, value: number): void {
    const page = this.#command >>> COMMAND.PAGE_SHIFT;
    if (page === 0) this.#writePage0(offset, value);
    else if (page === 1 && offset <= PAGE_1.PAR5) this.#filter.physical[offset - PAGE_1.PAR0] = value;
    else if (page === 1 && offset === PAGE_1.CURR) this.#ring.current = value;
    else if (page === 1) this.#filter.multicast[offset - PAGE_1.MAR0] = value;
  }

  #writePage0(offset: number, value: number): void {
    switch (offset) {
      case WRITE_0.PSTART:
        this.#ring.start = value;
        break;
      case WRITE_0.PSTOP:
        this.#ring.stop = value;
        break;
      case WRITE_0.BNRY:
        this.#ring.boundary = value;
        break;
      case WRITE_0.TPSR:
        this.#transmitPage = value;
        break;
      case WRITE_0.TBCR0:
        this.#transmitCount = (this.#transmitCount & 0xff00) | value;
        break;
      case WRITE_0.TBCR1:
        this.#transmitCount = (this.#transmitCount & 0x00ff) | (value << 8);
        break;
      case WRITE_0.ISR:
        this.#interruptStatus &= ~(value & INTERRUPT.ALL);
        this.#updateLine();
        break;
      case WRITE_0.RSAR0:
        this.#dma.address = (this.#dma.address & 0xff00) | value;
        break;
      case WRITE_0.RSAR1:
        this.#dma.address = (this.#dma.address & 0x00ff) | (value << 8);
        break;
      case WRITE_0.RBCR0:
        this.#dma.count = (this.#dma.count & 0xff00) | value;
        break;
      case WRITE_0.RBCR1:
        this.#dma.count = (this.#dma.count & 0x00ff) | (value << 8);
        break;
      case WRITE_0.RCR:
        this.#receiveConfiguration = value;
        break;
      case WRITE_0.TCR:
        this.#transmitConfiguration = value;
        break;
      case WRITE_0.DCR:
        this.#dataConfiguration = value;
        this.#dma.wordMode = (value & DATA.WTS) !== 0;
        break;
      case WRITE_0.IMR:
        this.#interruptMask = value;
        this.#updateLine();
        break;
    }
  }
}

/** A frame that its sender has not padded to the smallest size of Ethernet (IEEE 802.3, 3.2.8). */
function padded(frame: Uint8Array): Uint8Array {
  const whole = new Uint8Array(MINIMUM_FRAME_BYTES);
  whole.set(frame);
  return whole;
}
