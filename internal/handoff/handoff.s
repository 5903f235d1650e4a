// Functions of the runtime are declared in this package without a body, which needs a file like this one.
