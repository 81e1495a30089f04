/** A service that loops for ever and never enters the kernel. */
import { startInformation } from '../../../services/lib/index.ts';

let turns = startInformation.pid;
for (;;) turns = (turns + 1) % 1_000_003;
