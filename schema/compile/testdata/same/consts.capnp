@0xa1f2e3d4c5b60007;
const onlyInValues :Text = "from afar";
const unusedThere :Text = "not needed";
