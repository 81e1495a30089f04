/**
 * The machine: which devices a PC has, at which ports, on which interrupt lines.
 *
 * Read: IBM PC AT Technical Reference, "I/O Address Map" and "Hardware Interrupt Listing".
 *
 * | line | device             | line | device                    |
 * | ---- | ------------------ | ---- | ------------------------- |
 * | 0    | interval timer     | 8    | real-time clock           |
 * | 1    | keyboard           | 12   | mouse                     |
 * | 2    | (cascade)          | 14   | disks 0 and 1             |
 * | 4    | serial port        | 15   | disks 2 and 3             |
 * | 5    | console size       | 9    | network card              |
 */

import { AtaChannel } from './ata/channel.ts';
import { PortBus } from './bus.ts';
import { ConsoleSize } from './console-size.ts';
import type { Device, InterruptLine } from './device.ts';
import type { DiskBackend } from './disk/backend.ts';
import { I8042 } from './i8042.ts';
import { Ne2000 } from './ne2000/card.ts';
import { type Cable, NO_CABLE } from './network/cable.ts';
import { Pic } from './pic.ts';
import { Pit } from './pit.ts';
import { Rtc } from './rtc.ts';
import type { SerialLine, SerialPort } from './serial-line.ts';
import { Uart } from './uart.ts';

const IRQ = {
  timer: 0,
  keyboard: 1,
  serial: 4,
  consoleSize: 5,
  clock: 8,
  network: 9,
  mouse: 12,
  primaryDisks: 14,
  secondaryDisks: 15,
} as const;

const NETWORK_CARD_BASE = 0x300;

/** Disks 0 to 3: masters and slaves of the two ATA channels. */
export const DISK_LIMIT = 4;

/** What a device that is built outside of the machine needs of it. */
export interface Wiring {
  /** The interrupt line of a number, for one device. */
  line(irq: number): InterruptLine;
  /** To be called when registers changed outside of a port access. */
  readonly changed: () => void;
}

export interface MachineOptions {
  /** Nanoseconds since power-on, never backwards. */
  readonly clock: () => number;
  /** The wall clock at power-on, for the real-time clock: seconds since 1970-01-01T00:00:00. */
  readonly startSeconds: number;
  /** What is plugged into the serial port. */
  readonly serialLine: SerialLine;
  /** Whether the serial port sends a byte at once, or in the time its divisor says. Default: at once. */
  readonly instantTransmit?: boolean;
  /** What becomes of timer interrupts that come late; see `PitOptions`. Default: merge. */
  readonly lateEdges?: 'each' | 'merge';
  /** Whether the machine has the console size device, which no PC has. Default: yes. */
  readonly consoleSize?: boolean;
  /** Disks 0 to 3, null or left out where there is none. */
  readonly disks?: readonly (DiskBackend | null)[];
  /** What is plugged into the network card. Default: nothing. */
  readonly cable?: Cable;
  /** The network card's station address, six bytes. Default: QEMU's. */
  readonly stationAddress?: readonly number[] | undefined;
  /** Builds further devices. */
  readonly devices?: (wiring: Wiring) => readonly Device[];
  /** The guest asks for a reset, through the keyboard controller. Default: the machine resets itself. */
  readonly resetRequested?: () => void;
}

export interface Machine {
  readonly bus: PortBus;
  readonly pic: Pic;
  readonly uart: Uart;
  readonly consoleSize: ConsoleSize;
  /** Presses or releases a key; see `Keyboard.key` for the numbers. */
  key(key: number, pressed: boolean): void;
  /** Moves the mouse; see `Mouse.move`. */
  moveMouse(x: number, y: number, wheel: number, buttons: number): void;
  /**
   * When the machine next has to be advanced, in ns since power-on; Infinity when nothing will happen by itself. A
   * device whose interrupt line is masked is left alone: an idle machine need not be woken. It holds until the next
   * port access or change.
   */
  nextEvent(): number;
  /** Moves all devices to a time in ns since power-on. */
  advance(now: number): void;
  /**
   * Calls `listener`, in place of an earlier one, whenever registers of a device have changed outside of a port access.
   */
  onChange(listener: () => void): void;
  /** Resets every device. What has a battery or a window stays. */
  reset(): void;
}

/** Builds a machine in its power-on state. Throws when two devices want the same port or line. */
export function createMachine(options: MachineOptions): Machine {
  const { clock } = options;
  let changeListener = (): void => {};
  const changed = (): void => changeListener();

  const pic = new Pic((now) => advance(now));
  const wiring: Wiring = { line: (irq) => pic.line(irq), changed };
  const pit = new Pit({ interrupt: pic.line(IRQ.timer), lateEdges: options.lateEdges ?? 'merge' });
  const rtc = new Rtc({ interrupt: pic.line(IRQ.clock), startSeconds: options.startSeconds });
  const uart = new Uart({
    interrupt: pic.line(IRQ.serial),
    line: options.serialLine,
    instantTransmit: options.instantTransmit ?? true,
  });
  const i8042 = new I8042({
    keyboardInterrupt: pic.line(IRQ.keyboard),
    mouseInterrupt: pic.line(IRQ.mouse),
    requestReset: options.resetRequested ?? (() => reset()),
  });
  const consoleSize = new ConsoleSize(pic.line(IRQ.consoleSize));
  const disks = ataChannels(options.disks ?? [], wiring);
  const cable = options.cable ?? NO_CABLE;
  const network = new Ne2000({
    base: NETWORK_CARD_BASE,
    line: wiring.line(IRQ.network),
    cable,
    ...(options.stationAddress !== undefined && { address: options.stationAddress }),
  });
  const others = options.devices?.(wiring) ?? [];

  const devices: Device[] = [pit, rtc, uart, i8042, ...disks, network, ...others];
  if (options.consoleSize ?? true) devices.push(consoleSize);
  const bus = new PortBus(clock);
  for (const device of [pic, ...devices]) bus.attach(device);

  // Asked after every port access: nothing is allocated here.
  function nextEvent(): number {
    let next = Infinity;
    if (!pic.isMasked(IRQ.timer)) next = Math.min(next, pit.nextEvent());
    if (!pic.isMasked(IRQ.serial)) next = Math.min(next, uart.nextEvent());
    if (!pic.isMasked(IRQ.clock)) next = Math.min(next, rtc.nextEvent());
    if (!pic.isMasked(IRQ.keyboard) || !pic.isMasked(IRQ.mouse)) next = Math.min(next, i8042.nextEvent());
    for (const device of others) next = Math.min(next, device.nextEvent?.() ?? Infinity);
    return next;
  }

  function advance(now: number): void {
    for (const device of devices) device.advance?.(now);
  }

  function reset(): void {
    advance(clock());
    for (const device of devices) device.reset();
    pic.reset();
    changed();
  }

  /** For what reaches a device from outside: at the present time, and with word of it afterwards. */
  function fromOutside<T>(act: () => T): T {
    advance(clock());
    const result = act();
    changed();
    return result;
  }

  const port: SerialPort = {
    receive: (bytes) => fromOutside(() => uart.receive(bytes)),
    transmitReady: () => fromOutside(() => uart.transmitReady()),
    setCarrier: (present, listens) => fromOutside(() => uart.setCarrier(present, listens)),
    receiveBreak: () => fromOutside(() => uart.receiveBreak()),
  };
  options.serialLine.connect(port);
  cable.connect({
    ready: () => network.ready(),
    receive: (frame) => fromOutside(() => network.receive(frame)),
  });

  return {
    bus,
    pic,
    uart,
    consoleSize,
    key: (key, pressed) => fromOutside(() => i8042.keyboard.key(key, pressed, clock())),
    moveMouse: (x, y, wheel, buttons) => fromOutside(() => i8042.mouse.move(x, y, wheel, buttons)),
    nextEvent,
    advance,
    onChange: (listener) => {
      changeListener = listener;
    },
    reset,
  };
}

/** The two channels, which are there even without disks. */
function ataChannels(disks: readonly (DiskBackend | null)[], wiring: Wiring): AtaChannel[] {
  if (disks.length > DISK_LIMIT) throw new RangeError(`the machine has room for ${DISK_LIMIT} disks`);
  const disk = (index: number): DiskBackend | null => disks[index] ?? null;
  const channel = (name: string, commandBase: number, controlPort: number, irq: number, first: number): AtaChannel =>
    new AtaChannel({
      name,
      commandBase,
      controlPort,
      line: wiring.line(irq),
      drives: [disk(first), disk(first + 1)],
      changed: wiring.changed,
    });
  return [channel('ata0', 0x1f0, 0x3f6, IRQ.primaryDisks, 0), channel('ata1', 0x170, 0x376, IRQ.secondaryDisks, 2)];
}
