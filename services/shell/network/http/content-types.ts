/** Types of files by the ends of their names (the IANA registry of media types). */

const types: ReadonlyMap<string, string> = new Map(
  Object.entries({
    ...{ html: 'text/html; charset=utf-8', htm: 'text/html; charset=utf-8', css: 'text/css; charset=utf-8' },
    ...{ js: 'text/javascript; charset=utf-8', mjs: 'text/javascript; charset=utf-8', json: 'application/json' },
    ...{ txt: 'text/plain; charset=utf-8', log: 'text/plain; charset=utf-8', md: 'text/markdown; charset=utf-8' },
    ...{ ts: 'text/plain; charset=utf-8', c: 'text/plain; charset=utf-8', h: 'text/plain; charset=utf-8' },
    ...{ csv: 'text/csv; charset=utf-8', xml: 'text/xml; charset=utf-8', svg: 'image/svg+xml' },
    ...{ png: 'image/png', jpg: 'image/jpeg', jpeg: 'image/jpeg', gif: 'image/gif', webp: 'image/webp' },
    ...{ ico: 'image/x-icon', bmp: 'image/bmp', avif: 'image/avif', mp3: 'audio/mpeg', wav: 'audio/wav' },
    ...{ ogg: 'audio/ogg', mp4: 'video/mp4', webm: 'video/webm', pdf: 'application/pdf', wasm: 'application/wasm' },
    ...{
      zip: 'application/zip',
      gz: 'application/gzip',
      tar: 'application/x-tar',
      woff: 'font/woff',
      woff2: 'font/woff2',
    },
    ...{ pcap: 'application/vnd.tcpdump.pcap' },
  }),
);

/** The type of a file. */
export function contentType(path: string): string {
  const ending = /\.([A-Za-z0-9]+)$/.exec(path)?.[1] ?? '';
  return types.get(ending.toLowerCase()) ?? 'application/octet-stream';
}
