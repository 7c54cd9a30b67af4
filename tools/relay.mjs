/** `npm run relay`: builds, then runs the real command; arguments go to it (`npm run relay -- status`). */
import path from 'node:path'
import { build } from './lib/build.mjs'
import { ROOT, runNode } from './lib/run.mjs'

await build()
const { code } = await runNode([path.join(ROOT, 'packages/relay/bin/segue-relay.js'), ...process.argv.slice(2)])
process.exit(code)
