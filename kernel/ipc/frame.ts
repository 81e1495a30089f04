/** A frame from a task as the kernel's handlers see it; the one object is reused, so handlers keep nothing of it. */
export interface Frame {
  buffer: Buffer;
  /** Start of the header. */
  start: number;
  /** End of the body. */
  end: number;
  type: number;
  flags: number;
  id: number;
  handle: number;
}
