/** `npm run demo`: builds, then runs the real command. Everything but the demo's own report goes to stderr. */
import path from 'node:path'
import { build } from './lib/build.mjs'
import { ROOT, runNode } from './lib/run.mjs'

await build()
const { code } = await runNode([path.join(ROOT, 'packages/demo-app/dist/demo/main.js'), ...process.argv.slice(2)])
process.exit(code)
