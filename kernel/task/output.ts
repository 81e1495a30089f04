/**
 * The output streams of a task's process, cut into lines. Nothing a process writes may cost the kernel much: too long
 * lines are cut, and where more comes than the log takes the stream is left to fill up for a while, so that the writer
 * waits.
 */
import type { Readable } from 'node:stream';

/** Longest line that is kept, in bytes. */
const LINE_BYTES = 4096;

/** How long a stream is left alone after a line that was not taken, in milliseconds. */
const PAUSE_MILLISECONDS = 100;

/**
 * Captures one stream. `take` gets each line and answers false for one too many; `ended` is called once, after the
 * last.
 */
export function captureLines(stream: Readable, take: (line: string) => boolean, ended: () => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = (lines.pop() ?? '').slice(0, LINE_BYTES);
    let all = true;
    for (const line of lines) all = take(line.slice(0, LINE_BYTES)) && all;
    if (all) return;
    stream.pause();
    setTimeout(() => stream.resume(), PAUSE_MILLISECONDS).unref();
  });
  stream.on('error', () => {});
  stream.on('close', () => {
    if (rest !== '') take(rest);
    ended();
  });
}
