/**
 * Where the programs of this package are: built (dist/NAME.cjs) when the kernel itself runs built, the sources
 * (NAME/main.ts) when it runs from the sources.
 */
import path from 'node:path';

const here = import.meta.dirname;

/** True when the kernel runs from the TypeScript sources. */
export const fromSources = import.meta.filename.endsWith('.ts');

/** The package's folder. */
export const packageRoot = path.dirname(here);

/**
 * The file with the code of a program: `ata` is a service, `examples/rtc` an example, `test/services/NAME` a service of
 * the tests, `bench/services/NAME` one of the bench.
 */
export function programFile(name: string): string {
  const folder = name.includes('/') ? name : `services/${name}`;
  if (fromSources) return path.join(packageRoot, folder, 'main.ts');
  return path.join(
    here,
    `${folder.replace(/^test\/services\//, 'test-services/').replace(/^bench\/services\//, 'bench/')}.cjs`,
  );
}

/** The loader that every task written in JavaScript starts in. */
export const loaderFile = fromSources
  ? path.join(packageRoot, 'services/lib/start.ts')
  : path.join(here, 'services/start.cjs');

/** The configuration that is used when none is named. */
export const defaultConfiguration = path.join(packageRoot, 'services.json');
