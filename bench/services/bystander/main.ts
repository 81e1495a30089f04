/** One of many services that are there and wait: it has a port of its name and receives nothing. */
import { run, startInformation } from '../../../services/lib/index.ts';

run({ port: startInformation.name });
