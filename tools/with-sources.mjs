/** Builds, then runs a TypeScript file of the workspace against the built packages. */
import { ROOT, bin, build, runNode } from './lib/run.mjs'
import path from 'node:path'

const [file, ...args] = process.argv.slice(2)
await build()
const { code } = await runNode([bin('tsx/dist/cli.mjs'), path.join(ROOT, file), ...args])
process.exit(code)
