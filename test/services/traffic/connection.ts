/** A socket whose calls go on beside others. A call that fails closes it. */
import {
  type AsynchronousClient,
  asynchronousClient,
  FOREVER,
  type Handle,
  ipcRelease,
  log,
  type Outcome,
  socket,
} from '../../../services/lib/index.ts';

const MOST = 64 * 1024;

/** See the head of this file. */
export class Connection {
  readonly right: Handle;
  readonly calls: AsynchronousClient<typeof socket.methods>;
  /** Positions in the two streams. */
  sent = 0;
  received = 0;
  /** Whether calls on it make sense. */
  open = true;
  private readonly own: Handle;

  /** `own`: the port of the program, to which the ends of calls are told. */
  constructor(right: Handle, own: Handle) {
    this.right = right;
    this.own = own;
    this.calls = asynchronousClient(socket, right, own, FOREVER);
  }

  /** Accepts connections for ever. */
  serve(each: (connection: Connection) => void): void {
    const next = (): void =>
      this.calls.accept({ timeout: FOREVER }, (outcome) => {
        const accepted = this.value(outcome, 'accept');
        if (accepted === undefined) return;
        each(new Connection(accepted.connection, this.own));
        next();
      });
    next();
  }

  /** Hands on what comes next; none is the end. */
  receive(done: (data: Uint8Array) => void, most = MOST): void {
    this.calls.receive({ offset: this.received, most, timeout: FOREVER }, (outcome) => {
      const data = this.value(outcome, 'receive');
      if (data === undefined) return;
      this.received += data.length;
      done(data);
    });
  }

  /** Sends all of it. */
  send(data: Uint8Array, done: () => void): void {
    this.calls.send({ offset: this.sent, data, timeout: FOREVER }, (outcome) => {
      const end = this.value(outcome, 'send');
      if (end === undefined) return;
      const rest = data.subarray(end - this.sent);
      this.sent = end;
      if (rest.length === 0) done();
      else this.send(rest, done);
    });
  }

  /** Hands on just so many bytes; closes if the end comes before. */
  exactly(length: number, done: (data: Buffer) => void): void {
    const pieces: Uint8Array[] = [];
    let missing = length;
    const next = (): void => {
      if (missing === 0) done(Buffer.concat(pieces));
      else
        this.receive((data) => {
          if (data.length === 0) this.close();
          else {
            pieces.push(data);
            missing -= data.length;
            next();
          }
        }, missing);
    };
    next();
  }

  close(): void {
    if (!this.open) return;
    this.open = false;
    ipcRelease(this.right);
  }

  private value<T>(outcome: Outcome<T>, what: string): T | undefined {
    if (outcome.ok) return this.open ? outcome.value : undefined;
    if (this.open) log(`${what}: ${outcome.error.message}`);
    this.close();
    return undefined;
  }
}
