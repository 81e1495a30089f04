/**
 * Turns pipelines and background lists into processes: pipes between them, redirections, words. Read POSIX, Shell &
 * Utilities, 2.9.2 (Pipelines).
 */
import type { File, Files } from '../lib/index.ts';
import { type Descriptors, emptyTarget, type Target } from './descriptors.ts';
import { aboutFile, CommandError } from './errors.ts';
import type { ExpandedCommand } from './expand.ts';
import type { Printed, Stage } from './launch.ts';
import type { AndOrList, SimpleCommand } from './syntax.ts';

/** What the session has to do for its stages. */
export interface StageMaker {
  /** What commands read and write unless they are told otherwise. */
  readonly usual: Descriptors;
  files(): Files;
  /** Throws CommandError. */
  expand(command: SimpleCommand): ExpandedCommand;
  /** Does something under the assignments before a command. */
  assigned<T>(expanded: ExpandedCommand, act: () => T): T;
  command(words: readonly string[], text: string, descriptors: Descriptors): Stage;
  list(text: string, descriptors: Descriptors): Stage;
  /** One that only prints something. */
  printing(printed: Printed, status: number, text: string, descriptors: Descriptors): Stage;
}

/** The processes of a background list: those of its pipeline, or one for all of it. */
export function listStages(list: AndOrList, maker: StageMaker, interactive: boolean): Stage[] {
  // With a prompt it may be brought to the foreground and read then; a script's own text must not be read by its jobs.
  const usual = interactive ? maker.usual : maker.usual.with([[0, emptyTarget]]);
  const [first, ...others] = list.items;
  const commands = first?.pipeline.commands ?? [];
  if (others.length > 0 || commands.length < 2 || first?.pipeline.negated === true)
    return [maker.list(list.text, usual)];
  return pipelineStages(commands, usual, maker);
}

/** The stages of a pipeline, joined by pipes. Throws CommandError when there are no pipes to be had. */
export function pipelineStages(commands: readonly SimpleCommand[], usual: Descriptors, maker: StageMaker): Stage[] {
  const pipes = makePipes(commands.length - 1, maker);
  return commands.map((command, index) => {
    const before = pipes[index - 1];
    const behind = pipes[index];
    const ends: [number, Target][] = [];
    if (before !== undefined) ends.push([0, { kind: 'file', file: before.reader, owned: true }]);
    if (behind !== undefined) ends.push([1, { kind: 'file', file: behind.writer, owned: true }]);
    return stageOf(command, usual.with(ends), maker);
  });
}

function makePipes(count: number, maker: StageMaker): { reader: File; writer: File }[] {
  const pipes: { reader: File; writer: File }[] = [];
  try {
    for (let made = 0; made < count; made += 1) pipes.push(aboutFile('pipe', () => maker.files().pipe()));
    return pipes;
  } catch (error) {
    for (const { reader, writer } of pipes) {
      reader.close();
      writer.close();
    }
    throw error;
  }
}

/**
 * One stage. What goes wrong with its words or redirections is its own failure: the others run, and it is a process
 * that says so, since the shell must not wait for somebody to read it from a pipe.
 */
function stageOf(command: SimpleCommand, ends: Descriptors, maker: StageMaker): Stage {
  const { text } = command;
  let descriptors = ends;
  try {
    const expanded = maker.expand(command);
    const redirected = ends.redirected(expanded.redirections, () => maker.files());
    descriptors = redirected.descriptors;
    if (redirected.problem !== null) throw new CommandError(redirected.problem);
    if (expanded.words.length === 0) return maker.printing([], 0, text, descriptors);
    return maker.assigned(expanded, () => maker.command(expanded.words, text, descriptors));
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return maker.printing([{ descriptor: 2, text: `${error.message}\n` }], 1, text, descriptors);
  }
}
