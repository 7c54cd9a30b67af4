/** `npm run build`, and before a package is packed: compiles every package and drops what is left of sources that are gone. */
import { build } from './lib/build.mjs'

await build()
