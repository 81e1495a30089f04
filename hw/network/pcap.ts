/** Records the frames on a cable in a pcap file (wire/pcap.ts): those that the card sends, and those that reach it. */

import { pcapFileHeader, pcapRecord } from '../../wire/pcap.ts';
import { RecordFile } from '../record-file.ts';
import type { Cable, CableStatistics, NetworkPort } from './cable.ts';

/** Records are written when there are so many bytes of them, or after this time. */
const BUFFER_BYTES = 64 * 1024;
const WRITE_AFTER_MS = 100;

/** Bytes that may wait for the host; what comes then is not recorded. */
const MOST_BYTES = 16 * 1024 * 1024;

/** A cable that is recorded. It records as long as the file can be written: a full disk must not stop the network. */
export class RecordedCable implements Cable {
  readonly #cable: Cable;
  readonly #time: () => bigint;
  readonly #file: RecordFile;
  #records: Buffer[] = [pcapFileHeader()];
  #bytes = 0;
  #timer: NodeJS.Timeout | null = null;

  /**
   * Creates the file, or empties it. Throws what the file system throws.
   *
   * @param time the wall clock: nanoseconds since 1970-01-01T00:00:00Z
   */
  constructor(cable: Cable, path: string, time: () => bigint) {
    this.#cable = cable;
    this.#time = time;
    this.#file = new RecordFile(path, 'w', MOST_BYTES);
    this.#write();
  }

  get description(): string {
    return this.#file.failure === null ? `${this.#cable.description}, recorded` : this.#cable.description;
  }

  get linked(): boolean {
    return this.#cable.linked;
  }

  get statistics(): CableStatistics {
    return this.#cable.statistics;
  }

  /** Why nothing is recorded any more; null as long as it is. */
  get failure(): string | null {
    return this.#file.failure;
  }

  connect(port: NetworkPort): void {
    this.#cable.connect({
      ready: () => port.ready(),
      receive: (frame) => {
        this.#record(frame);
        port.receive(frame);
      },
    });
  }

  send(frame: Uint8Array): void {
    this.#record(frame);
    this.#cable.send(frame);
  }

  receiveReady(): void {
    this.#cable.receiveReady();
  }

  async close(): Promise<void> {
    await this.#cable.close();
    this.#write();
    await this.#file.close();
  }

  #record(frame: Uint8Array): void {
    if (this.#file.failure !== null) return;
    const record = pcapRecord(this.#time(), frame);
    this.#records.push(record);
    this.#bytes += record.length;
    if (this.#bytes >= BUFFER_BYTES) this.#write();
    else this.#timer ??= setTimeout(() => this.#write(), WRITE_AFTER_MS).unref();
  }

  #write(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#file.write(Buffer.concat(this.#records));
    this.#records = [];
    this.#bytes = 0;
  }
}
