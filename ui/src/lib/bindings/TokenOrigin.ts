export type TokenOrigin = 'environment' | 'keychain' | 'session' | 'gh';
