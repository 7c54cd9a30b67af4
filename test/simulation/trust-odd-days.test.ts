import { describeTrustDays } from './describe-days.ts'

describeTrustDays('odd')
