/**
 * Descriptors that whoever started the kernel left open. The host's programs hand on every descriptor that is not
 * marked close-on-exec, so these would reach each task. The engine marks its own, and those it finds at its start up to
 * the first gap above 15. Read open(2), O_CLOEXEC, and proc(5), /proc/PID/fdinfo.
 */
import fs from 'node:fs';

/** O_CLOEXEC in the octal `flags` of /proc/PID/fdinfo. */
const CLOSE_ON_EXEC = 0o2000000;

/** Closes them. Does nothing on hosts without /proc. */
export function closeInheritedDescriptors(): void {
  for (const descriptor of openDescriptors()) {
    if (descriptor > 2 && !closesOnExec(descriptor)) fs.closeSync(descriptor);
  }
}

function openDescriptors(): number[] {
  try {
    return fs.readdirSync('/proc/self/fd').map(Number);
  } catch {
    return [];
  }
}

/** True too for one that is gone already, such as that of the listing. */
function closesOnExec(descriptor: number): boolean {
  try {
    const [, flags = '0'] =
      /^flags:\s*([0-7]+)/m.exec(fs.readFileSync(`/proc/self/fdinfo/${descriptor}`, 'utf8')) ?? [];
    return (Number.parseInt(flags, 8) & CLOSE_ON_EXEC) !== 0;
  } catch {
    return true;
  }
}
