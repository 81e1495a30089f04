/** sync. */
import type { Run } from '../command.ts';
import { forEachOperand } from '../operands.ts';
import { parseOptions } from '../options.ts';

export const sync: Run = (context) => {
  const { operands } = parseOptions(context.words, {});
  if (operands.length === 0) context.files.sync();
  return forEachOperand(context, operands, (path) => context.files.with(path, { read: true }, (file) => file.sync()));
};
