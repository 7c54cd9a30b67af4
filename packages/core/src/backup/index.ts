export { BACKUP_MAGIC } from './format.ts'
export { writeBackup, type BackupContent, type BackupPhrase } from './write-backup.ts'
export { readBackup } from './read-backup.ts'
export type { BackupItem } from './records.ts'
