// Opens connections and lets them lie: `idle-connections ADDRESS PORT COUNT`. Prints a line when all of them stand.
import net from 'node:net';

const [address, port, count] = process.argv.slice(2);
let standing = 0;
for (let index = 0; index < Number(count); index++) {
  const socket = net.connect(Number(port), address, () => {
    standing++;
    if (standing === Number(count)) console.log('standing');
  });
  socket.on('error', (error) => {
    console.error(error.message);
    process.exit(1);
  });
}
