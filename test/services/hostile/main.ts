/**
 * A hostile service: tries everything the sandbox has to stop and reports each attempt as a `RESULT` line. Its argument
 * is the list of targets as JSON.
 */
import { exit, fail, log, startInformation } from '../../../services/lib/index.ts';
import { attemptsWith, type Targets } from './attempts.ts';
import { findLoader, routes } from './routes.ts';

async function tryOne(attempt: string, action: () => unknown): Promise<void> {
  let denied = true;
  let detail: string;
  try {
    detail = String(await action());
    denied = false;
  } catch (error) {
    detail = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  }
  log(`RESULT ${JSON.stringify({ attempt, denied, detail: detail.slice(0, 200) })}`);
}

async function attack(): Promise<never> {
  const targets = JSON.parse(startInformation.arguments[0] ?? '') as Targets;
  for (const [name, route] of Object.entries(routes)) await tryOne(`get modules ${name}`, route);
  const loader = await findLoader();
  const load = (name: string): unknown => {
    if (loader === null) throw new Error('no way to the modules of the host');
    return loader(name);
  };
  for (const [name, attempt] of Object.entries(attemptsWith(load))) await tryOne(name, () => attempt(targets));
  return exit(0);
}

attack().catch(fail);
