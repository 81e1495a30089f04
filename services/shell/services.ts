/**
 * Services as the shell's commands see them: found by name, with an error that says what is missing, and let go after
 * the command.
 */
import type { Client, Interface, Methods } from '../../protocol/interface.ts';
import { client, Files, type Handle, init, ipcFindPort, ipcRelease, SystemError, vfs } from '../lib/index.ts';
import { MissingService } from './errors.ts';

/** Longest wait for a service that should run, and for one that was just started, in milliseconds. */
const FIND_MS = 3000;
const START_MS = 10_000;

/** Longest wait for one answer, in milliseconds: a restart of the service fits into it. */
const CALL_MS = 30_000;

/** Rights to services, for the time of one command. */
export class Services {
  private readonly ports = new Map<string, Handle>();
  private readonly directory: string;
  private session: Files | null = null;

  /** `directory` is the working directory. */
  constructor(directory = '/') {
    this.directory = directory;
  }

  /** The name space, seen from the working directory. Throws MissingService. */
  get files(): Files {
    this.session ??= this.openSession();
    return this.session;
  }

  private openSession(): Files {
    try {
      const { session } = this.client(vfs, 'vfs').session({ directory: this.directory });
      return new Files(session);
    } catch (error) {
      if (error instanceof SystemError && error.code === 'EIO')
        throw new MissingService('vfs: the service does not answer');
      throw error;
    }
  }

  /** A client of a service. Throws MissingService when it does not run. */
  client<M extends Methods>(definition: Interface<M>, name: string, timeoutMs = CALL_MS): Client<M> {
    return client(definition, this.port(name), timeoutMs);
  }

  /** A client of a service that is started on demand. `service` is its name, `port` that of what it serves. */
  started<M extends Methods>(definition: Interface<M>, service: string, port = service): Client<M> {
    this.client(init, 'init').start(service);
    return client(definition, this.port(port, START_MS), CALL_MS);
  }

  /** A send right to a named port. Throws MissingService. */
  port(name: string, waitMs = FIND_MS): Handle {
    const known = this.ports.get(name);
    if (known !== undefined) return known;
    try {
      const port = ipcFindPort(name, waitMs);
      this.ports.set(name, port);
      return port;
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      const why = error.code === 'EPERM' ? 'permission denied' : "the service is not running (see 'service list')";
      throw new MissingService(`${name}: ${why}`);
    }
  }

  /** Lets go of everything. */
  release(): void {
    this.session?.close();
    this.session = null;
    for (const port of this.ports.values()) ipcRelease(port);
    this.ports.clear();
  }
}
