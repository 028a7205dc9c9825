export type Keep = 'keychain' | 'session';
