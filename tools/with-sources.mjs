/** Builds, then runs a TypeScript file of the workspace against the built packages. What stands before the file is for Node. */
import path from 'node:path'
import { build } from './lib/build.mjs'
import { ROOT, bin, runNode } from './lib/run.mjs'

const given = process.argv.slice(2)
const at = given.findIndex(each => !each.startsWith('--'))
const [file, ...args] = given.slice(at)
await build()
const { code } = await runNode([bin('tsx/dist/cli.mjs'), ...given.slice(0, at), path.join(ROOT, file), ...args])
process.exit(code)
