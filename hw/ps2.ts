/** What the i8042 needs of a device on one of its two PS/2 ports. */
export interface Ps2Device {
  /** The next byte for the system, which stays; undefined when there is none. */
  peek(): number | undefined;
  /** Takes the next byte for the system. */
  take(): number | undefined;
  /** A byte from the system. */
  write(value: number): void;
  /** Power-on state. */
  reset(): void;
}
