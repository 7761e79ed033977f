/* A shared object that is no model. */
int notAModel(void) { return 1; }
