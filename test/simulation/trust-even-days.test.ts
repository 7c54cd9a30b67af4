import { describeTrustDays } from './describe-days.ts'

describeTrustDays('even')
