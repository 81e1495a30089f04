/**
 * Settings of a terminal: the flags and special characters of <termios.h> under full names. Read POSIX (IEEE Std
 * 1003.1), chapter 11.2 (Parameters that Can be Set). They go over the wire and into the recovery store in the form
 * that `terminalAttributes` describes.
 */
import { bool, type Infer, record, u8 } from '../../protocol/schema.ts';

/** Special characters (POSIX 11.1.9), each one byte; 0 turns one off (_POSIX_VDISABLE). */
export const specialCharacters = record({
  /** VINTR, ^C: sends INT. */
  interrupt: u8,
  /** VQUIT, ^\: sends QUIT. */
  quit: u8,
  /** VSUSP, ^Z: sends TSTP. */
  suspend: u8,
  /** VEOF, ^D: hands over what is typed; at the start of a line the end of the input. */
  endOfFile: u8,
  /** VEOL: a further end of a line besides newline. */
  endOfLine: u8,
  /** VERASE, DEL: takes the last character back. */
  erase: u8,
  /** A second erase key, ^H: terminals disagree about what their backspace key sends. */
  alternateErase: u8,
  /** VWERASE, ^W: takes the last word back. */
  wordErase: u8,
  /** VKILL, ^U: takes the line back. */
  kill: u8,
  /** VREPRINT, ^R: shows the line again. */
  reprint: u8,
  /** VLNEXT, ^V: the next character has no special meaning. */
  literalNext: u8,
  /** VSTART, ^Q: output goes on. */
  start: u8,
  /** VSTOP, ^S: output waits. */
  stop: u8,
});

/** All settings of a terminal. */
export const terminalAttributes = record({
  /** ICANON: input comes in lines that can be edited. */
  canonical: bool,
  /** ISIG: interrupt, quit and suspend send signals. */
  signals: bool,
  /** IEXTEN: word erase, reprint and literal next work. */
  extended: bool,
  /** NOFLSH: a signal leaves the unread input alone. */
  keepInputOnSignal: bool,
  /** ECHO. */
  echo: bool,
  /** ECHOE: erase wipes the character from the screen. */
  echoErase: bool,
  /** ECHOK: kill starts a new line on the screen. */
  echoKill: bool,
  /** ECHOKE: kill wipes the line from the screen instead (with ECHOE and ECHOK). */
  echoKillErase: bool,
  /** ECHONL: newline is echoed even without ECHO. */
  echoNewline: bool,
  /** ECHOCTL: control characters are shown as ^X. */
  echoControl: bool,
  /** ICRNL: return becomes newline. */
  mapReturnToNewline: bool,
  /** INLCR: newline becomes return. */
  mapNewlineToReturn: bool,
  /** IGNCR: return is ignored. */
  ignoreReturn: bool,
  /** IXON: stop and start hold and release the output. */
  flowControl: bool,
  /** IXANY: any character releases the output. */
  restartOnAny: bool,
  /** IUTF8: erase takes back whole UTF-8 characters. */
  utf8: bool,
  /** OPOST: the following three are in force. */
  processOutput: bool,
  /** ONLCR: newline goes out as return, newline. */
  mapNewlineToReturnNewline: bool,
  /** OCRNL: return goes out as newline. */
  mapOutputReturnToNewline: bool,
  /** TAB3: tabs go out as spaces. */
  expandTabs: bool,
  /** VMIN: bytes that a read waits for when input does not come in lines. */
  minimumBytes: u8,
  characters: specialCharacters,
});

export type SpecialCharacters = Infer<typeof specialCharacters>;
export type TerminalAttributes = Infer<typeof terminalAttributes>;

const control = (letter: string): number => letter.charCodeAt(0) & 0x1f;

/** What a terminal starts with: canonical, with echo, signals and flow control. */
export const defaultAttributes: Readonly<TerminalAttributes> = {
  canonical: true,
  signals: true,
  extended: true,
  keepInputOnSignal: false,
  echo: true,
  echoErase: true,
  echoKill: true,
  echoKillErase: true,
  echoNewline: false,
  echoControl: true,
  mapReturnToNewline: true,
  mapNewlineToReturn: false,
  ignoreReturn: false,
  flowControl: true,
  restartOnAny: false,
  utf8: true,
  processOutput: true,
  mapNewlineToReturnNewline: true,
  mapOutputReturnToNewline: false,
  expandTabs: false,
  minimumBytes: 1,
  characters: {
    interrupt: control('C'),
    quit: control('\\'),
    suspend: control('Z'),
    endOfFile: control('D'),
    endOfLine: 0,
    erase: 0x7f,
    alternateErase: control('H'),
    wordErase: control('W'),
    kill: control('U'),
    reprint: control('R'),
    literalNext: control('V'),
    start: control('Q'),
    stop: control('S'),
  },
};
