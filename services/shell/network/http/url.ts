/** URLs as wget takes them. Read RFC 3986, 3 and 5.2; RFC 9110, 4.2. */
import { CommandError } from '../../errors.ts';
import { visibleText } from '../../width.ts';
import { percentDecoded } from './target.ts';

/** Where something is to be fetched. */
export interface HttpUrl {
  readonly host: string;
  readonly port: number;
  /** With the query. */
  readonly target: string;
}

const HTTP_PORT = 80;

/** Reads an absolute URL; without a scheme it is http. Throws CommandError. */
export function parseUrl(text: string): HttpUrl {
  const refuse = (reason: string): never => {
    throw new CommandError(`${visibleText(text)}: ${reason}`);
  };
  const [, scheme = 'http', rest = ''] = /^(?:([A-Za-z][A-Za-z0-9+.-]*):\/\/)?(.*)$/s.exec(text) ?? [];
  if (scheme.toLowerCase() === 'https') refuse('https is not supported: there is no TLS here, only http');
  if (scheme.toLowerCase() !== 'http') refuse(`the scheme ${scheme} is not supported`);
  const [, authority = '', behind = ''] = /^([^/?#]*)([^#]*)/.exec(rest) ?? [];
  if (authority.includes('@')) refuse('names and passwords are not supported');
  const [, host = '', port] = /^([A-Za-z0-9._-]+)(?::(\d{0,5}))?$/.exec(authority) ?? [];
  if (host === '') refuse('that is no URL');
  const number = port === undefined || port === '' ? HTTP_PORT : Number(port);
  if (number < 1 || number > 65535) refuse(`there is no port ${port}`);
  const path = behind.startsWith('/') ? behind : `/${behind}`;
  // What cannot stand in a request line is encoded.
  const target = path.replaceAll(/[^\x21-\x7e]+/gu, (run) => encodeURIComponent(run));
  return { host, port: number, target };
}

/** Where a redirection leads, which may be relative to where it was met. Throws CommandError. */
export function redirected(base: HttpUrl, location: string): HttpUrl {
  if (/^[A-Za-z][A-Za-z0-9+.-]*:/.test(location)) return parseUrl(location);
  if (location.startsWith('//')) return parseUrl(`http:${location}`);
  const { host, port } = base;
  if (location.startsWith('/')) return parseUrl(`http://${host}:${port}${location}`);
  const [path = '/'] = base.target.split('?', 1);
  const directory = location.startsWith('?') ? path : path.slice(0, path.lastIndexOf('/') + 1);
  return parseUrl(`http://${host}:${port}${directory}${location}`);
}

/** The value of the field Host. */
export const hostField = ({ host, port }: HttpUrl): string => (port === HTTP_PORT ? host : `${host}:${port}`);

/** The URL as text. */
export const urlText = (url: HttpUrl): string => `http://${hostField(url)}${url.target}`;

/** The name of the file that it is saved to. */
export function fileNameOf({ target }: HttpUrl): string {
  const [path = ''] = target.split('?', 1);
  const raw = path.slice(path.lastIndexOf('/') + 1);
  let name = raw;
  try {
    name = percentDecoded(raw);
  } catch {
    // It keeps its percent signs.
  }
  const safe = name.replaceAll(/[/\p{Cc}\p{Zl}\p{Zp}]/gu, '_');
  return safe === '' || safe === '.' || safe === '..' ? 'index.html' : safe;
}
