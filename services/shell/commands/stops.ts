/** Commands that stop what the tests have started: ipcstop, drvstop. */
import { init } from '../../lib/index.ts';
import { type Command, expectWords } from '../command.ts';

const DRIVER = 'rtc';

const ipcstop: Command = {
  name: 'ipcstop',
  usage: '',
  about: "Stops the service 'echo' that ipctest started",
  kind: 'here',
  run: ({ words, services, lines }) => {
    expectWords(words, 0, 0);
    services.client(init, 'init').stop('echo');
    lines('echo: stopped');
    return 0;
  },
};

const drvstop: Command = {
  name: 'drvstop',
  usage: '',
  about: 'Stops the driver that drvtest started',
  kind: 'here',
  run: ({ words, services, lines }) => {
    expectWords(words, 0, 0);
    services.client(init, 'init').stop(DRIVER);
    lines(`${DRIVER}: stopped`);
    return 0;
  },
};

export const stopCommands: readonly Command[] = [ipcstop, drvstop];
