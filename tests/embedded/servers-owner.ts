// Starts the servers in the folder of its argument and stays, until it is killed. Prints what
// servers.json tells.
import { readServersFile } from '../../src/embedded/registry.ts';
import { startEmbeddedServers } from '../../src/embedded/servers.ts';
import { PROGRAMS } from '../support/sources.ts';

const [dataDir = ''] = process.argv.slice(2);
await startEmbeddedServers({ dataDir, say: () => undefined, sources: PROGRAMS });
console.log(JSON.stringify(await readServersFile(dataDir)));
setInterval(() => undefined, 60_000);
