/**
 * Templates of services: a manifest whose name ends in `@` is no service by itself. `vrfs@hda1` is an instance of the
 * template `vrfs@`: a service of its own with the template's manifest, that serves a port of its own name, and is made
 * when it is first started.
 */
import { MAX_NAME_BYTES } from './bounds.ts';

/** Ends the name of a template. */
export const TEMPLATE_SIGN = '@';

/** Whether a name is that of a template. */
export const isTemplate = (name: string): boolean => name.endsWith(TEMPLATE_SIGN);

/** The template that a name is an instance of, if it can be one. */
export function templateOf(name: string): string | undefined {
  const template = name.slice(0, name.indexOf(TEMPLATE_SIGN) + 1);
  const own = name.slice(template.length);
  return template !== '' && /^[a-z0-9._-]+$/i.test(own) && name.length <= MAX_NAME_BYTES ? template : undefined;
}
