/** Records the frames on a cable in a pcap file (wire/pcap.ts): those that the card sends, and those that reach it. */

import fs from 'node:fs';
import { pcapFileHeader, pcapRecord } from '../../wire/pcap.ts';
import type { Cable, CableStatistics, NetworkPort } from './cable.ts';

/** Records are written when there are so many bytes of them, or after this time. */
const BUFFER_BYTES = 64 * 1024;
const WRITE_AFTER_MS = 100;

/** A cable that is recorded. It records as long as the file can be written. */
export class RecordedCable implements Cable {
  readonly #cable: Cable;
  readonly #time: () => bigint;
  readonly #file: number;
  #records: Buffer[] = [pcapFileHeader()];
  #bytes = 0;
  #timer: NodeJS.Timeout | null = null;
  #failure: string | null = null;

  /**
   * Creates the file, or empties it. Throws what the file system throws.
   *
   * @param time the wall clock: nanoseconds since 1970-01-01T00:00:00Z
   */
  constructor(cable: Cable, path: string, time: () => bigint) {
    this.#cable = cable;
    this.#time = time;
    this.#file = fs.openSync(path, 'w');
    this.#write();
  }

  get description(): string {
    return this.#failure === null ? `${this.#cable.description}, recorded` : this.#cable.description;
  }

  get linked(): boolean {
    return this.#cable.linked;
  }

  get statistics(): CableStatistics {
    return this.#cable.statistics;
  }

  /** Why the recording has ended before the cable was closed; null as long as it goes on. */
  get failure(): string | null {
    return this.#failure;
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
    if (this.#failure === null) fs.closeSync(this.#file);
    this.#failure ??= 'closed';
  }

  #record(frame: Uint8Array): void {
    if (this.#failure !== null) return;
    const record = pcapRecord(this.#time(), frame);
    this.#records.push(record);
    this.#bytes += record.length;
    if (this.#bytes >= BUFFER_BYTES) this.#write();
    else this.#timer ??= setTimeout(() => this.#write(), WRITE_AFTER_MS).unref();
  }

  #write(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const bytes = Buffer.concat(this.#records);
    this.#records = [];
    this.#bytes = 0;
    if (this.#failure !== null) return;
    try {
      for (let done = 0; done < bytes.length; ) done += fs.writeSync(this.#file, bytes, done);
    } catch (error) {
      // A full disk must not stop the network.
      this.#failure = error instanceof Error ? error.message : String(error);
      fs.closeSync(this.#file);
    }
  }
}
