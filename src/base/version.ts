/** The version of this project; a test keeps it equal to the one in `package.json`. */
export const version: string = '0.1.0';
