/**
 * Requests with paths on their way: to the owner of the path, which is a file system in this process or one to whose
 * process the request is handed on; and further when a path leads out of its file system.
 */
import { SystemError } from '../../protocol/errno.ts';
import type { FileAttributes } from '../../protocol/file.ts';
import { filesystem } from '../../protocol/filesystem.ts';
import type { Reply, Request } from '../../protocol/interface.ts';
import type { Handle } from '../../protocol/schema.ts';
import {
  type Batch,
  LeadsOut,
  mapPlaces,
  type PathMethodName,
  type PathRequest,
  type Place,
  performPath,
} from '../lib/filesystem/index.ts';
import type { LATER, RequestContext } from '../lib/index.ts';
import type { DiskMount, MemoryMount, Mount } from './mount.ts';
import { absolutePath, type MountTable } from './mount-table.ts';
import { answerLater, type Work, wait } from './work.ts';

type Methods = typeof filesystem.methods;
type Answer<K extends PathMethodName> = Reply<Methods[K]> | typeof LATER;

/** File systems that one request may come to at most. */
const MAX_HOPS = 100;

/** What the name space needs of file systems in other processes. */
export interface Servers {
  /** Right to the port of one; null: it is not there. */
  rightOf(mount: DiskMount): Handle | null;
  resolve(server: Handle, request: Request<Methods['resolve']>): Work<Reply<Methods['resolve']>>;
  attributes(server: Handle, request: Request<Methods['attributes']>): Work<FileAttributes>;
  cover(server: Handle, request: Request<Methods['cover']>): Work<void>;
}

/** A place whose directory is known. */
interface Canonical {
  /** The directory, without symbolic links and dots. */
  readonly directory: string;
  /** The directory, the name, and the slash that stood behind it. */
  readonly path: string;
}

/** See the head of this file. */
export class NameSpace {
  private readonly table: MountTable<Mount>;
  private readonly batch: Batch;
  private readonly servers: Servers;

  constructor(table: MountTable<Mount>, batch: Batch, servers: Servers) {
    this.table = table;
    this.batch = batch;
    this.servers = servers;
  }

  /** Carries out a method whose relative paths begin at a directory. Throws SystemError. */
  perform<K extends PathMethodName>(
    name: K,
    request: Request<Methods[K]>,
    directory: string,
    context: RequestContext,
  ): Answer<K> {
    return this.goOn(
      name,
      changed(request, (place) => ({ ...place, path: absolutePath(place.path, directory) })),
      context,
      0,
    );
  }

  /** Carries out a method with absolute paths. `hops`: file systems of this process that it has come to before. */
  private goOn<K extends PathMethodName>(
    name: K,
    request: Request<Methods[K]>,
    context: RequestContext,
    hops: number,
  ): Answer<K> {
    if (hops > MAX_HOPS) throw new SystemError('ELOOP', 'the path goes through too many file systems');
    const owners = placesOf(request).map(({ path }) => this.table.locate(path).mount);
    const closed = owners.find((mount) => mount.kind !== 'memory' && mount.gate.closed);
    if (closed !== undefined) {
      return answerLater(
        context,
        this.when(closed, () => this.goOn(name, request, context, hops + 1)),
      );
    }
    const [owner, other = owner] = owners;
    if (owner === undefined || owner.kind === 'held') throw new SystemError('ENOENT');
    if (owner !== other) {
      return answerLater(context, this.across(name, request, context, hops));
    }
    const inner = changed(request, (place) => ({ ...place, path: this.table.locate(place.path).inner }));
    return owner.kind === 'disk'
      ? this.handOn(owner, name, inner, context)
      : this.performHere(owner, name, inner, context, hops);
  }

  private *when<R>(mount: Mount, goOn: () => R): Work<R> {
    yield* wait<void>((done) => {
      if (mount.kind === 'memory') done({ ok: true, value: undefined });
      else mount.gate.wait(() => done({ ok: true, value: undefined }));
    });
    return goOn();
  }

  private performHere<K extends PathMethodName>(
    mount: MemoryMount,
    name: K,
    inner: Request<Methods[K]>,
    context: RequestContext,
    hops: number,
  ): Answer<K> {
    const carryOut = (): Answer<K> => {
      const goOn = (request: Request<Methods[K]>): Answer<K> => this.goOn(name, request, context, hops + 1);
      if (name !== 'open' || mount.open === undefined) {
        return performPath(this.batch, mount.volume, name, inner, context, goOn);
      }
      return mount.open(inner as Request<Methods['open']>, context, goOn as never) as Answer<K>;
    };
    const preparation = placesOf(inner)
      .map(({ path }) => mount.prepare?.(path) ?? null)
      .find((work) => work !== null);
    if (preparation === undefined) return carryOut();
    return answerLater(context, after(preparation, carryOut));
  }

  private handOn<K extends PathMethodName>(
    mount: DiskMount,
    name: K,
    inner: Request<Methods[K]>,
    context: RequestContext,
  ): Answer<K> {
    return context.forward(this.serverOf(mount), filesystem, name, inner as never);
  }

  private serverOf(mount: DiskMount): Handle {
    const server = this.servers.rightOf(mount);
    if (server === null) throw new SystemError('EIO', `${mount.service}, which serves ${mount.path}, is not running`);
    return server;
  }

  /**
   * A rename or link whose two paths seem to be on different file systems: symbolic links and `..` may lead both to
   * one.
   */
  private *across<K extends PathMethodName>(
    name: K,
    request: Request<Methods[K]>,
    context: RequestContext,
    hops: number,
  ): Work<Answer<K>> {
    const [from, to] = placesOf(request);
    if (from === undefined || to === undefined) throw new SystemError('EINVAL');
    const source = yield* this.canonical(from);
    const target = yield* this.canonical(to);
    if (name === 'link') yield* this.checkLink(source, target);
    if (this.table.locate(source.directory).mount !== this.table.locate(target.directory).mount)
      throw new SystemError('EXDEV', 'the two names are on different file systems');
    const mounted = [source, target].find(({ path }) => this.table.at(path.replace(/\/+$/, '') || '/') !== undefined);
    if (mounted !== undefined) throw new SystemError('EBUSY', `a file system is mounted on ${mounted.path}`);
    const same = changed(request, (place) => ({
      path: place === from ? source.path : target.path,
      links: place.links,
    }));
    return this.goOn(name, same, context, hops + 1);
  }

  /** Errors that come before EXDEV: there is no such file, or the new name is taken. */
  private *checkLink(source: Canonical, target: Canonical): Work<void> {
    yield* this.attributes(source.path);
    try {
      yield* this.attributes(target.path);
    } catch (error) {
      if (error instanceof SystemError && error.code === 'ENOENT') return;
      throw error;
    }
    throw new SystemError('EEXIST', `${target.path} exists`);
  }

  private *canonical({ path, links }: Place): Work<Canonical> {
    const {
      parent = '',
      name = '',
      slash = '',
    } = /^(?<parent>.*?)(?<name>[^/]+)(?<slash>\/*)$/.exec(path)?.groups ?? {};
    const isName = name !== '' && name !== '.' && name !== '..';
    const directory = yield* this.resolve(isName ? parent || '/' : path, links);
    if (!isName) return { directory, path: directory };
    return { directory, path: `${directory === '/' ? '' : directory}/${name}${slash === '' ? '' : '/'}` };
  }

  /** The path of a directory without symbolic links and dots. Throws SystemError. */
  *resolve(path: string, links = 0): Work<string> {
    const found = yield* this.look(
      { path, links },
      (mount, place) => {
        const { node, path: inner } = mount.volume.find(place, true);
        if (mount.volume.core.attributes(node).type !== 'directory')
          throw new SystemError('ENOTDIR', `${mount.volume.absolute(inner)} is not a directory`);
        return mount.volume.absolute(inner);
      },
      (server, place) => this.servers.resolve(server, { place, directory: true }),
    );
    return typeof found === 'string' ? found : found.path;
  }

  private attributes(path: string): Work<FileAttributes> {
    return this.look(
      { path, links: 0 },
      (mount, place) => mount.volume.attributes(mount.volume.find(place, false).node),
      (server, place) => this.servers.attributes(server, { place, follow: false }),
    );
  }

  /** Looks something up by its path, wherever it is. */
  private *look<A, B>(
    place: Place,
    here: (mount: MemoryMount, inner: Place) => A,
    there: (server: Handle, inner: Place) => Work<B>,
  ): Work<A | B> {
    let { path, links } = place;
    for (let hops = 0; hops <= MAX_HOPS; hops++) {
      const { mount, inner } = this.table.locate(path);
      if (mount.kind !== 'memory' && mount.gate.closed) yield* this.when(mount, () => {});
      else if (mount.kind === 'disk') return yield* there(this.serverOf(mount), { path: inner, links });
      else if (mount.kind === 'memory') {
        yield* mount.prepare?.(inner) ?? nothing();
        try {
          return here(mount, { path: inner, links });
        } catch (error) {
          if (!(error instanceof LeadsOut)) throw error;
          ({ path, links } = error.to);
        }
      }
    }
    throw new SystemError('ELOOP', 'the path goes through too many file systems');
  }

  /**
   * Tells the owner of a directory that another file system is mounted there, or no more. The path is canonical. Throws
   * SystemError.
   */
  *cover(path: string, covered: boolean): Work<void> {
    const cut = path.lastIndexOf('/');
    const { mount, inner } = this.table.locate(path.slice(0, cut) || '/');
    const place = { path: `${inner}${inner === '' ? '' : '/'}${path.slice(cut + 1)}`, links: 0 };
    if (mount.kind === 'memory') mount.volume.cover(place, covered);
    else if (mount.kind === 'disk') yield* this.servers.cover(this.serverOf(mount), { place, covered });
  }
}

function* nothing(): Work<void> {}

function* after<R>(work: Work<void>, goOn: () => R): Work<R> {
  yield* work;
  return goOn();
}

/** A request with other places. The compiler does not see that all these methods have places. */
function changed<Q>(request: Q, map: (place: Place) => Place): Q {
  return mapPlaces(request as PathRequest, map) as Q;
}

function placesOf(request: unknown): Place[] {
  const places: Place[] = [];
  mapPlaces(request as PathRequest, (place) => {
    places.push(place);
    return place;
  });
  return places;
}
