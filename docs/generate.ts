/**
 * Fills the generated sections of the documentation from the code: `npm run docs` writes them, a test checks that they
 * are up to date.
 *
 * A section stands between `<!-- generated: NAME -->` and `<!-- end of NAME -->`; everything else on a page is written
 * by people.
 */
import fs from 'node:fs';
import path from 'node:path';
import { exampleText } from './generate/example.ts';
import {
  boundsTable,
  errorTable,
  interfaceSections,
  optionsText,
  recordSections,
  restartTable,
  servicesTable,
  signalTable,
  systemCallIndex,
  systemCallSections,
  vectorTable,
} from './generate/tables.ts';
import { fillSections } from './generate/text.ts';

const root = path.dirname(import.meta.dirname);

/** What is generated, by the name in the markers. */
export const sections: Readonly<Record<string, () => string>> = {
  bounds: boundsTable,
  errors: errorTable,
  example: exampleText,
  interfaces: interfaceSections,
  options: optionsText,
  records: recordSections,
  'restart-delays': restartTable,
  services: servicesTable,
  signals: signalTable,
  'system-call-index': systemCallIndex,
  'system-calls': systemCallSections,
  'vector-operations': vectorTable,
};

/** The pages with generated sections, relative to the package. */
export const pages: readonly string[] = [
  'README.md',
  'docs/configuration.md',
  'docs/protocol.md',
  'docs/system-calls.md',
];

/** A page as it stands, and as it should be. */
export function page(name: string): { readonly present: string; readonly wanted: string } {
  const present = fs.readFileSync(path.join(root, name), 'utf8');
  return { present, wanted: fillSections(present, sections) };
}

if (process.argv[1] === import.meta.filename) {
  for (const name of pages) {
    const { present, wanted } = page(name);
    if (present === wanted) continue;
    fs.writeFileSync(path.join(root, name), wanted);
    process.stdout.write(`${name}: written\n`);
  }
}
