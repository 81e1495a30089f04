/** What a shell passes to a job as its arguments, as JSON. */
import { fileType } from '../../protocol/file.ts';
import { bool, list, nullable, record, text, u8, u53 } from '../../protocol/schema.ts';

/** Longest order in bytes, and longest argument of a task: a longer order is cut into several. */
export const MAX_ORDER_BYTES = 512 * 1024;
export const MAX_ARGUMENT_BYTES = 65536;

const short = text(MAX_ORDER_BYTES);
const descriptor = u8;

/**
 * What descriptors mean: a text to be read, a file whose right comes with the order (in their order), or with neither
 * the terminal.
 */
const target = record({
  descriptors: list(descriptor, 16),
  text: nullable(short),
  file: nullable(record({ type: fileType, stream: bool, position: u53 })),
});

/**
 * What a job is told to do: one command of expanded words, a list as it was written, or to print what the shell itself
 * has to say in its place: what one of its own commands has printed, or why there is none.
 */
export const jobOrder = record({
  words: nullable(list(short, MAX_ORDER_BYTES)),
  text: nullable(short),
  printed: nullable(list(record({ descriptor, text: short }), MAX_ORDER_BYTES)),
  variables: list(record({ name: short, value: short }), MAX_ORDER_BYTES),
  status: u8,
  directory: short,
  targets: list(target, 16),
});
