export type RunningJob = { job: string; repository: string; mirrors: Array<string> };
