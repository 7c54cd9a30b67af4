/**
 * What the command prints. Everything for people goes to standard output but errors, the hint beside an invite in a pipe, and the log of
 * `serve`, which is JSON lines there too.
 */
import type { AccountsAnswer, StatusAnswer } from '../ops/operations.ts'
import type { CheckReport } from '../ops/check.ts'

export function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let [value, unit] = [bytes, 0]
  while (value >= 1_024 && unit < units.length - 1) [value, unit] = [value / 1_024, unit + 1]
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`
}

export function dayText(time: number): string {
  return new Date(time).toISOString().slice(0, 10)
}

export function accountsText({ accounts, invites }: AccountsAnswer): string {
  const lines = accounts.map(account => {
    const { usage, quotas } = account
    const state = account.revokedAt === undefined ? '' : `  revoked ${dayText(account.revokedAt)}`
    const seen = account.lastUsedAt === undefined ? 'no mailbox yet' : `last used ${dayText(account.lastUsedAt)}`
    const note = account.note === undefined ? '' : `  (${account.note})`
    return [
      `${account.id}${note}${state}`,
      `    ${bytesText(usage.bytes)} of ${bytesText(quotas.bytes)}, ${usage.chunks} of ${quotas.chunks} chunks, ${usage.mailboxes} of ${quotas.mailboxes} mailboxes`,
      `    ${account.retention}, since ${dayText(account.createdAt)}, ${seen}`,
    ].join('\n')
  })
  const open = invites.map(
    invite => `invite ${invite.id}  until ${dayText(invite.expiresAt)}${invite.note === undefined ? '' : `  (${invite.note})`}`,
  )
  return [...lines, ...open].join('\n') || 'no accounts and no open invites'
}

export function statusText(status: StatusAnswer): string {
  const state = status.isRunning ? (status.isDraining ? 'draining' : 'running') : 'not running'
  return [
    `relay      ${status.relay}`,
    `state      ${state}`,
    ...status.addresses.map((address, i) => `${i === 0 ? 'addresses' : '         '}  ${address}`),
    `devices    ${status.linkedDevices} linked, ${status.openMailboxes} mailboxes open`,
    `accounts   ${status.accounts}, with ${status.mailboxes} mailboxes`,
    `stored     ${bytesText(status.storedBytes)} in ${status.storedChunks} chunks`,
  ].join('\n')
}

export function checkText(report: CheckReport): string {
  const read = `${report.accounts} accounts, ${report.mailboxes} mailboxes, ${report.chunks} chunks, ${bytesText(report.bytes)} read`
  return [
    read,
    ...report.findings.map(({ what, where, count }) => `${what}: ${count} in ${where}`),
    ...(report.findings.length === 0 ? ['all is well'] : []),
  ].join('\n')
}
