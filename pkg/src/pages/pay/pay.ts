// The pay page of a 402.
export {};
