/**
 * Options of commands. Read POSIX, Base Definitions, 12.2 (Utility Syntax Guidelines); as in GNU's commands options may
 * also stand behind operands, up to `--`.
 */
import { UsageError } from './errors.ts';

/** What was found on a command line. */
export interface ParsedOptions {
  /** Letters without value that were given. */
  readonly flags: ReadonlySet<string>;
  /** Values of the others; of one given twice the last. */
  readonly values: ReadonlyMap<string, string>;
  readonly operands: readonly string[];
}

/** Letters that a command knows. */
export interface OptionLetters {
  readonly flags?: string;
  /** Letters that need a value, in the same word or the next. */
  readonly values?: string;
}

/** Sorts words into options and operands. `-` is an operand. Throws UsageError. */
export function parseOptions(words: readonly string[], { flags = '', values = '' }: OptionLetters): ParsedOptions {
  const found = { flags: new Set<string>(), values: new Map<string, string>(), operands: [] as string[] };
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? '';
    if (word === '--') {
      found.operands.push(...words.slice(index + 1));
      break;
    }
    if (!word.startsWith('-') || word === '-') {
      found.operands.push(word);
      continue;
    }
    if (word.startsWith('--')) throw new UsageError(`${word}: no such option`);
    for (let at = 1; at < word.length; at += 1) {
      const letter = word.charAt(at);
      if (flags.includes(letter)) {
        found.flags.add(letter);
        continue;
      }
      if (!values.includes(letter)) throw new UsageError(`-${letter}: no such option`);
      const attached = word.slice(at + 1);
      const value = attached === '' ? words[index + 1] : attached;
      if (value === undefined) throw new UsageError(`-${letter}: a value is missing`);
      if (attached === '') index += 1;
      found.values.set(letter, value);
      break;
    }
  }
  return found;
}
