let
  storeName = import ../storeName.nix;
in
{
  "storeName.keepsWhatIsAllowed" = {
    expr = storeName "torch-2.11.0+cu130-cp314t.whl";
    expected = "torch-2.11.0+cu130-cp314t.whl";
  };
  "storeName.replacesTilde" = {
    expr = storeName "libfoo_1.0~rc1%3a_amd64.deb";
    expected = "libfoo_1.0_rc1_3a_amd64.deb";
  };
  "storeName.neverBeginsWithADot" = {
    expr = storeName ".hidden";
    expected = "_.hidden";
  };
}
