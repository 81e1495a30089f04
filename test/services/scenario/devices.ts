/**
 * Cases on devices: I/O ports and their permissions, vectors, interrupts. The device is the clock chip: 0x70 selects a
 * register, 0x71 is it.
 */
import { kernelNotices } from '../../../protocol/kernel.ts';
import { vectorOperation as op } from '../../../protocol/vector.ts';
import { dmesg, type Handle, type Message, uptime } from '../../../services/lib/index.ts';
import { type Cases, equal, fails, holds, present } from './check.ts';
import { eventually, Puppet, post } from './puppet.ts';

const INDEX = 0x70;
const DATA = 0x71;
/** A byte of the chip's battery-backed memory that means nothing. */
const SCRATCH = 0x50;
const STATUS_A = 0x0a;
const STATUS_B = 0x0b;
const STATUS_C = 0x0c;
const PERIODIC = 0x40;
/** Of status C: the chip requests an interrupt. */
const REQUEST = 0x80;
const LINE = 8;

function driver(name = 'driver'): Puppet {
  const puppet = new Puppet(name);
  puppet.do('requestIoPort', INDEX, DATA);
  return puppet;
}

const readRegister = (puppet: Puppet, register: number): number => {
  puppet.do('out8', INDEX, register);
  return puppet.do('in8', DATA);
};

const writeRegister = (puppet: Puppet, register: number, value: number): void => {
  puppet.do('out8', INDEX, register);
  puppet.do('out8', DATA, value);
};

/** Sets the chip's periodic interrupt: 2 ^ (16 - rate) a second, or none. */
function periodic(puppet: Puppet, rate: number): void {
  writeRegister(puppet, STATUS_A, 0x20 | rate);
  const others = readRegister(puppet, STATUS_B) & ~PERIODIC;
  writeRegister(puppet, STATUS_B, rate === 0 ? others : others | PERIODIC);
  readRegister(puppet, STATUS_C);
}

/** Checks that a message is the notice of the line; answers what a vector for the interrupt gave. */
function isInterrupt(message: Message) {
  const { number, methods } = kernelNotices;
  equal([message.notice, message.interface, message.method], [true, number, methods.irq.number], 'a notice irq');
  const { irq, vector } = methods.irq.request.fromWire(message.data, []);
  equal(irq, LINE, 'its line');
  return vector;
}

const logged = (text: string): boolean => dmesg().some((line) => line.text.includes(text));

/** Something a task without permission does to the chip, and the port the log names. */
const trespasses: readonly [string, string, (puppet: Puppet) => unknown][] = [
  ['out', '0x71', (puppet) => puppet.begin('out8', DATA, 0x99)],
  ['in', '0x71', (puppet) => puppet.begin('in8', DATA)],
  ['a wide access whose last byte is not allowed', '0x6f (2 bytes)', (puppet) => puppet.begin('out16', 0x6f, 0x9999)],
  ['outs', '0x71 (2 bytes)', (puppet) => puppet.begin('outs16', DATA, Buffer.alloc(4, 0x99))],
  ['ins', '0x71 (2 bytes)', (puppet) => puppet.begin('ins16', DATA, 1)],
  [
    'a vector whose last operation is not allowed',
    '0x71',
    (puppet) => puppet.begin('ioVector', [op.WRITE8, 0x80, 1, op.WRITE8, DATA, 0x99]),
  ],
  ['a poll', '0x71', (puppet) => puppet.begin('ioVector', [op.POLL8, DATA, 1, 1, 1000])],
];

export const deviceCases: Cases = {
  'ports are granted within the ranges of the manifest': () => {
    const puppet = new Puppet('driver');
    fails('EPERM', () => puppet.do('requestIoPort', 0x60, 0x60));
    fails('EPERM', () => puppet.do('requestIoPort', 0x6f, 0x71));
    fails('EPERM', () => puppet.do('requestIoPort', 0x70, 0x72));
    fails('EINVAL', () => puppet.do('requestIoPort', 0x71, 0x70));
    const handle = puppet.do('requestIoPort', 0x70, 0x71);
    const rows = puppet.do('taskCapabilities', puppet.pid);
    equal(rows.find((row) => row.handle === handle)?.what, 'ports 0x70 to 0x71', 'row');
    fails('EPERM', () => new Puppet('client').do('requestIoPort', 0x70, 0x70));
  },
  'reads and writes reach the device': () => {
    const puppet = driver();
    writeRegister(puppet, SCRATCH, 0xa5);
    equal(readRegister(puppet, SCRATCH), 0xa5, 'the byte');
    equal(puppet.do('in16', INDEX) >>> 8, 0xa5, 'in a wide read');
    puppet.do('out16', INDEX, 0x5a00 | SCRATCH);
    equal(puppet.do('in8', DATA), 0x5a, 'the byte after a wide write');
    const words = puppet.do('ins16', INDEX, 3);
    equal([words.length, words[1], words[3], words[5]], [6, 0x5a, 0x5a, 0x5a], 'rep ins');
    puppet.do('outs16', INDEX, Buffer.from([SCRATCH, 1, SCRATCH, 2, SCRATCH, 3]));
    equal(puppet.do('in8', DATA), 3, 'rep outs');
  },
  'a refused access ends the task, is logged with service and port, and reaches no device': () => {
    const guard = driver();
    for (const [what, port, trespass] of trespasses) {
      writeRegister(guard, SCRATCH, 0x42);
      const rogue = new Puppet('rogue');
      rogue.do('requestIoPort', 0x80, 0x80);
      rogue.do('requestIoPort', 0x6f, 0x6f);
      trespass(rogue);
      equal(rogue.reap(), { status: 159, signal: 31 }, `how it ended after ${what}`);
      const line = `general protection fault: rogue touched I/O port ${port} without permission`;
      holds(logged(line), `the log after ${what} says: ${line}`);
      equal(guard.do('in8', DATA), 0x42, `the byte after ${what}`);
    }
  },
  'ports that were given back are not allowed any more, unless another grant covers them': () => {
    const puppet = driver();
    const second = puppet.do('requestIoPort', DATA, DATA);
    const third = puppet.do('requestIoPort', INDEX, DATA);
    puppet.do('ipcRelease', third);
    writeRegister(puppet, SCRATCH, 1);
    puppet.do('ipcRelease', second);
    equal(readRegister(puppet, SCRATCH), 1, 'still granted by the first');
    for (const { kind, handle } of puppet.do('taskCapabilities', puppet.pid)) {
      if (kind === 'io') puppet.do('ipcRelease', handle as Handle);
    }
    puppet.begin('in8', DATA);
    equal(puppet.reap(), { status: 159, signal: 31 }, 'how it ended');
  },
  'a vector runs in order, and ends early where a check fails': () => {
    const puppet = driver();
    const select = [op.WRITE8, INDEX, SCRATCH];
    equal(
      puppet
        .do('ioVector', [...select, op.WRITE8, DATA, 7, op.READ8, DATA, op.READ16, INDEX])
        .results.map((word) => (word as number) & 0xff),
      [7, puppet.do('in8', INDEX)],
      'values read',
    );
    const checked = puppet.do('ioVector', [
      ...select,
      op.CHECK8,
      DATA,
      0xff,
      7,
      op.WRITE8,
      DATA,
      8,
      op.CHECK8,
      DATA,
      0x0f,
      9,
      op.WRITE8,
      DATA,
      10,
    ]);
    equal(checked, { ended: 3, results: [8] }, 'ended at the second check, with the value it saw');
    equal(puppet.do('in8', DATA), 8, 'what was done stays done, the rest is left out');
    const blocks = puppet.do('ioVector', [
      op.WRITE_BLOCK16,
      INDEX,
      Buffer.from([SCRATCH, 0x11]),
      op.READ_BLOCK8,
      DATA,
      4,
    ]);
    equal([...(blocks.results[0] as Uint8Array)], [0x11, 0x11, 0x11, 0x11], 'blocks');
    const bad = [
      [op.READ8],
      [0, DATA],
      [16, DATA],
      [op.WRITE8, DATA, 256],
      [op.ACKNOWLEDGE, LINE],
      [op.READ8, 'x'],
      'x',
      7,
    ];
    for (const words of bad) {
      fails('EINVAL', () =>
        puppet.do('ioVector', [...select, op.WRITE8, DATA, 99, ...(Array.isArray(words) ? words : [words])]),
      );
    }
    equal(puppet.do('in8', DATA), 0x11, 'nothing of a bad vector is done');
  },
  'a poll waits for the device, or for its time, without holding up anybody': () => {
    const puppet = driver();
    const select = [op.WRITE8, INDEX, STATUS_C];
    const other = new Puppet('client');
    periodic(puppet, 0);
    const before = uptime();
    const late = puppet.begin('ioVector', [
      ...select,
      op.POLL8,
      DATA,
      PERIODIC,
      PERIODIC,
      300_000,
      op.WRITE8,
      INDEX,
      0,
    ]);
    puppet.waitsIn('io_vector');
    other.do('uptime');
    equal(late.done(), false, 'others run meanwhile');
    other.kill();
    const { ended, results } = late.result();
    const took = uptime() - before;
    equal([ended, results.length], [1, 1], 'ended by its poll');
    holds(took >= 300 && took < 400, `took ${took} ms instead of 300`);
    // 2 ^ (16 - 12) = 16 a second, so within 63 ms.
    periodic(puppet, 12);
    const seen = puppet.do('ioVector', [...select, op.POLL8, DATA, PERIODIC, PERIODIC, 1_000_000, op.READ8, DATA]);
    equal(seen.ended, -1, 'ran to its end');
    equal(
      seen.results.map((value) => (value as number) & PERIODIC),
      [PERIODIC, 0],
      'seen, and cleared by reading it',
    );
    periodic(puppet, 0);
  },
  'a task that dies in a poll leaves nothing behind': () => {
    const puppet = driver();
    puppet.begin('ioVector', [op.WRITE8, INDEX, SCRATCH, op.POLL8, DATA, 0, 1, 10_000_000]);
    puppet.waitsIn('io_vector');
    puppet.kill();
    equal(readRegister(driver(), SCRATCH), readRegister(driver('driver2'), SCRATCH), 'the device answers others');
  },
  'an interrupt is a message, and the line stays masked until it is acknowledged': () => {
    const puppet = driver();
    const port = puppet.do('ipcCreatePort');
    fails('EPERM', () => puppet.do('registerIrqHandler', 9, port));
    fails('EBADF', () => puppet.do('registerIrqHandler', LINE, 0xfff0001 as Handle));
    const handle = puppet.do('registerIrqHandler', LINE, port);
    const other = driver('driver2');
    const otherPort = other.do('ipcCreatePort');
    fails('EBUSY', () => other.do('registerIrqHandler', LINE, otherPort));
    // 2 ^ (16 - 8) = 256 a second.
    periodic(puppet, 8);
    for (let round = 0; round < 3; round++) {
      isInterrupt(puppet.do('ipcRecv', [port], 1000));
      fails('ETIMEDOUT', () => puppet.do('ipcRecv', [port], 20));
      readRegister(puppet, STATUS_C);
      puppet.do('irqAcknowledge', LINE);
    }
    puppet.do('ipcRelease', handle);
    puppet.do('ipcTryRecv', [port]);
    readRegister(puppet, STATUS_C);
    puppet.do('irqAcknowledge', LINE);
    fails('ETIMEDOUT', () => puppet.do('ipcRecv', [port], 20));
    periodic(puppet, 0);
  },
  'a vector can wait for the interrupt, and takes it instead of a notice': () => {
    const puppet = driver();
    const port = puppet.do('ipcCreatePort');
    const wait = [op.INTERRUPT, LINE, 1_000_000];
    // The chip interrupts once each time its status has been read, so only while the vector runs.
    const whole = [op.WRITE8, INDEX, STATUS_C, op.READ8, DATA, op.ACKNOWLEDGE, LINE, ...wait];
    fails('EINVAL', () => puppet.do('ioVector', wait));
    periodic(puppet, 8);
    puppet.do('registerIrqHandler', LINE, port);
    equal(puppet.do('ioVector', whole).ended, -1, 'it has interrupted');
    puppet.do('ipcTryRecv', [port]);
    for (let round = 0; round < 3; round++) equal(puppet.do('ioVector', whole).ended, -1, 'and again');
    fails('ETIMEDOUT', () => puppet.do('ipcRecv', [port], 20));
    equal(puppet.do('ioVector', wait).ended, -1, 'one that has come already');
    // The vector ends before its INTERRUPT, and the interrupt that came meanwhile is told of.
    const early = [op.POLL8, 0x70, 0, 1, 30_000];
    const missed = [...whole.slice(0, -wait.length), ...early, ...wait];
    equal(puppet.do('ioVector', missed).ended, 3, 'ended by its poll');
    isInterrupt(puppet.do('ipcRecv', [port], 0));
    periodic(puppet, 0);
    puppet.do('irqAcknowledge', LINE);
    puppet.do('ipcTryRecv', [port]);
    puppet.do('irqAcknowledge', LINE);
    const before = uptime();
    equal(puppet.do('ioVector', [op.INTERRUPT, LINE, 30_000]), { ended: 0, results: [] }, 'out of time');
    holds(uptime() - before >= 30, 'before its time was up');
  },
  'a vector for the next interrupt is carried out before its notice, once': () => {
    const puppet = driver();
    const port = puppet.do('ipcCreatePort');
    const status = [op.WRITE8, INDEX, STATUS_C, op.READ8, DATA];
    const arm = [op.ON_INTERRUPT, LINE, [op.KEEP, 'seen', 7, ...status]];
    const received = () => isInterrupt(puppet.do('ipcRecv', [port], 1000));
    /** No interrupt comes any more, and none that has come already is left. */
    const calm = (who = puppet): void => {
      periodic(who, 0);
      puppet.do('irqAcknowledge', LINE);
      puppet.do('ipcTryRecv', [port]);
    };
    fails('EINVAL', () => puppet.do('ioVector', arm));
    puppet.do('registerIrqHandler', LINE, port);
    puppet.do('ioVector', arm);
    periodic(puppet, 8);
    for (let round = 0; round < 3; round++) {
      let given = received();
      // On a slow host one that came while the line was masked: its status has been read already.
      for (let tries = 0; tries < 100 && given?.results[0] === 0; tries++) {
        puppet.do('ioVector', arm);
        given = received();
      }
      equal(given?.ended, -1, 'all of it');
      equal(Number(given?.results[0]) & (PERIODIC | REQUEST), PERIODIC | REQUEST, 'the status, read at the interrupt');
      equal(puppet.do('storeGet', 'seen'), [7, -1, given?.results], 'and kept');
      puppet.do('ioVector', arm);
    }
    received();
    puppet.do('irqAcknowledge', LINE);
    equal(received(), null, 'only once');
    // What comes in the middle of another vector does not mix with it.
    puppet.do('ioVector', [...status, ...arm, op.POLL8, INDEX, 0, 1, 30_000]);
    equal(received(), null, 'not while another vector is under way');
    calm();
    puppet.do('ioVector', arm);
    puppet.do('irqAcknowledge', LINE);
    periodic(puppet, 8);
    equal(received(), null, 'not after the line was acknowledged without it');
    calm();
    puppet.do('ioVector', arm);
    for (const { handle, kind } of puppet.do('taskCapabilities', puppet.pid))
      if (kind === 'io') puppet.do('ipcRelease', handle as Handle);
    const other = driver('driver2');
    periodic(other, 8);
    equal(received(), null, 'not when the task has given its ports up');
    calm(other);
  },
  'a vector for the interrupt answers who waits, without its driver': () => {
    const puppet = driver();
    const port = puppet.do('ipcCreateNamedPort', 'driver');
    puppet.do('registerIrqHandler', LINE, port);
    const client = new Puppet('driver2');
    const right = client.do('ipcFindPort', 'driver');
    const status = [op.KEEP, 'seen', 7, op.WRITE8, INDEX, STATUS_C, op.READ8, DATA];
    periodic(puppet, 8);
    isInterrupt(puppet.do('ipcRecv', [port], 1000));
    const call = client.begin('ipcCall', right, post('what does the chip say?'));
    const { reply } = puppet.do('ipcRecv', [port], 1000);
    readRegister(puppet, STATUS_C);
    puppet.do('ioVector', [op.ON_INTERRUPT, LINE, [...status, op.ANSWER, reply]]);
    const { data } = call.result();
    equal(Array.isArray(data) && data.length === 1 && (Number(data[0]) & REQUEST) !== 0, true, 'the results');
    equal(puppet.do('storeGet', 'seen'), [7, -1, data], 'what is kept');
    equal(puppet.do('ipcTryRecv', [port]), null, 'a notice');
    puppet.do('ipcReply', reply, 0, 'answered already');
    // Nobody waits any more: the driver is told as without this.
    const late = client.begin('ipcCall', right, post('and now?'), 300);
    const second = puppet.do('ipcRecv', [port], 1000);
    fails('ETIMEDOUT', () => late.result());
    for (const right of [second.reply, reply]) {
      readRegister(puppet, STATUS_C);
      puppet.do('ioVector', [op.ON_INTERRUPT, LINE, [...status, op.ANSWER, right]]);
      equal(isInterrupt(puppet.do('ipcRecv', [port], 1000))?.ended, 3, 'where it has ended');
    }
    periodic(puppet, 0);
    // None that came meanwhile is left.
    puppet.do('irqAcknowledge', LINE);
    puppet.do('ipcTryRecv', [port]);
  },
  'a driver that dies while its vector waits for the interrupt leaves the line free': () => {
    const first = driver();
    first.do('registerIrqHandler', LINE, first.do('ipcCreatePort'));
    first.begin('ioVector', [op.INTERRUPT, LINE, 10_000_000]);
    first.waitsIn('io_vector');
    first.kill();
    const next = driver();
    const port = next.do('ipcCreatePort');
    next.do('registerIrqHandler', LINE, port);
    periodic(next, 8);
    isInterrupt(next.do('ipcRecv', [port], 1000));
    periodic(next, 0);
  },
  'the line of a dead driver is free for its next incarnation, at once': () => {
    const first = driver();
    first.do('registerIrqHandler', LINE, first.do('ipcCreateNamedPort', 'driver'));
    periodic(first, 8);
    eventually(
      () => first.do('ipcInfo').some(({ name, queued }) => name === 'driver' && queued > 0),
      'an interrupt waits',
    );
    first.kill();
    const next = driver();
    const port = next.do('ipcCreateNamedPort', 'driver');
    isInterrupt(next.do('ipcRecv', [port], 1000));
    next.do('registerIrqHandler', LINE, port);
    readRegister(next, STATUS_C);
    isInterrupt(next.do('ipcRecv', [port], 1000));
    periodic(next, 0);
    next.do('ipcDestroyPort', port);
    present(next.row, 'the driver lives');
  },
};
