/** Builds, then runs a TypeScript file of the workspace against the built packages. */
import path from 'node:path'
import { build } from './lib/build.mjs'
import { ROOT, bin, runNode } from './lib/run.mjs'

const [file, ...args] = process.argv.slice(2)
await build()
const { code } = await runNode([bin('tsx/dist/cli.mjs'), path.join(ROOT, file), ...args])
process.exit(code)
