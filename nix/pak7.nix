/**
  The distributions that `package-lists/pak7.txt` brings into its layer: face analysis and packages from git.

  Type: { ofList } -> [ AttrSet ]
*/
{ ofList }: ofList "pak7.txt"
