export type SyncChoice = { repository: string; mirrors: Array<string>; yes: boolean };
