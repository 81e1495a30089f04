/** What a shell passes to a job as its argument, as JSON. */
import { list, nullable, record, text, u8 } from '../../protocol/schema.ts';

/** Longest order in bytes: what an argument of a task holds. */
export const MAX_ORDER_BYTES = 65536;

const short = text(MAX_ORDER_BYTES);

/** What a job is told to do: one command of expanded words, or a list as it was written. */
export const jobOrder = record({
  words: nullable(list(short, MAX_ORDER_BYTES)),
  text: nullable(short),
  variables: list(record({ name: short, value: short }), MAX_ORDER_BYTES),
  status: u8,
});
