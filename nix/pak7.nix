/**
  The distributions of layer 08-pak7: face analysis and packages from git, as `package-lists/pak7.txt` asks for them.

  Type: { ofLayer } -> [ AttrSet ]
*/
{ ofLayer }: ofLayer "08-pak7"
