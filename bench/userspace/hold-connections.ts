// Opens so many connections and holds them until its standard input ends. Arguments: port, count. Prints a line when all are open.
import { connect, type Socket } from 'node:net';

const [port = 0, count = 0] = process.argv.slice(2).map(Number);
const sockets: Socket[] = [];
for (let open = 0; open < count; open += 100) {
  await Promise.all(
    Array.from({ length: Math.min(100, count - open) }, () => {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      sockets.push(connect(port, '127.0.0.1', resolve).on('error', reject));
      return promise;
    }),
  );
}
process.stdout.write('open\n');
process.stdin.resume();
process.stdin.on('end', () => process.exit());
