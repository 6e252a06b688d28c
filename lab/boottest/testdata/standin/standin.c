/*
 * Stands in for Microsoft's boot manager, which cannot be had where the tests run: it
 * asks for the same files in the same way, checks what it can of them, and says what
 * it got. Where Windows would start it stops.
 *
 * Loaded by PXE it asks the server it came from by TFTP; loaded from a disk it reads
 * that disk. The names of boot.sdi and boot.wim it takes out of the store (BCD). A store
 * with a recovery environment is that of an installed Windows: then it says from where it
 * was loaded, what the loader is called, and which partitions of this machine the store
 * names.
 */
#include <efi.h>
#include <efilib.h>

static EFI_PXE_BASE_CODE *pxe;
static EFI_IP_ADDRESS server;
static EFI_FILE_HANDLE root;

static UINT64 fnv(UINT8 *b, UINTN n) {
	UINT64 h = 0xcbf29ce484222325ULL;
	for (UINTN i = 0; i < n; i++)
		h = (h ^ b[i]) * 0x100000001b3ULL;
	return h;
}

static EFI_STATUS by_tftp(CHAR16 *name, UINT8 **content, UINTN *size) {
	UINT8 ascii[256];
	UINTN i;
	UINT64 n = 0;
	for (i = 0; name[i] && i < 255; i++)
		ascii[i] = (UINT8)name[i];
	ascii[i] = 0;
	EFI_STATUS s = uefi_call_wrapper(pxe->Mtftp, 10, pxe, EFI_PXE_BASE_CODE_TFTP_GET_FILE_SIZE, NULL, FALSE, &n, NULL, &server, ascii, NULL, FALSE);
	if (EFI_ERROR(s))
		return s;
	*content = AllocatePool(n + 1);
	if (!*content)
		return EFI_OUT_OF_RESOURCES;
	s = uefi_call_wrapper(pxe->Mtftp, 10, pxe, EFI_PXE_BASE_CODE_TFTP_READ_FILE, *content, FALSE, &n, NULL, &server, ascii, NULL, FALSE);
	*size = n;
	return s;
}

static EFI_STATUS from_disk(CHAR16 *name, UINT8 **content, UINTN *size) {
	EFI_FILE_HANDLE f;
	EFI_STATUS s = uefi_call_wrapper(root->Open, 5, root, &f, name, EFI_FILE_MODE_READ, 0);
	if (EFI_ERROR(s))
		return s;
	EFI_FILE_INFO *info = LibFileInfo(f);
	*size = info->FileSize;
	*content = AllocatePool(*size + 1);
	if (!*content)
		return EFI_OUT_OF_RESOURCES;
	return uefi_call_wrapper(f->Read, 3, f, size, *content);
}

/* get reads a file, says so, and checks how it begins. */
static UINT8 *get(CHAR16 *name, CHAR8 *begins, UINTN *size) {
	UINT8 *content = NULL;
	EFI_STATUS s = pxe ? by_tftp(name, &content, size) : from_disk(name, &content, size);
	if (EFI_ERROR(s)) {
		Print(L"STAND-IN: %s: %r\r\n", name, s);
		return NULL;
	}
	for (UINTN i = 0; begins[i]; i++)
		if (i >= *size || content[i] != begins[i]) {
			Print(L"STAND-IN: %s does not begin as it should\r\n", name);
			return NULL;
		}
	Print(L"STAND-IN: %s\r\nSTAND-IN: got %ld bytes %lx\r\n", name, (UINT64)*size, fnv(content, *size));
	return content;
}

/* path finds, in the store, the text that ends so. */
static CHAR16 *path(UINT8 *store, UINTN size, CHAR16 *ends) {
	CHAR16 *w = (CHAR16 *)store;
	UINTN n = size / 2, l = StrLen(ends);
	for (UINTN i = 1; i + l < n; i++)
		if (w[i + l] == 0 && CompareMem(w + i, ends, l * 2) == 0) {
			while (i > 0 && w[i - 1] >= 0x20 && w[i - 1] < 0x7f)
				i--;
			return w + i;
		}
	return NULL;
}

/* partitions says which partitions of a GPT the store names by their GUIDs, and what is
 * on them. */
static void partitions(UINT8 *store, UINTN size) {
	EFI_HANDLE *handles;
	UINTN n;
	if (EFI_ERROR(LibLocateHandle(ByProtocol, &BlockIoProtocol, NULL, &n, &handles)))
		return;
	for (UINTN i = 0; i < n; i++) {
		for (EFI_DEVICE_PATH *p = DevicePathFromHandle(handles[i]); p && !IsDevicePathEnd(p); p = NextDevicePathNode(p)) {
			HARDDRIVE_DEVICE_PATH *hd = (HARDDRIVE_DEVICE_PATH *)p;
			if (DevicePathType(p) != MEDIA_DEVICE_PATH || DevicePathSubType(p) != MEDIA_HARDDRIVE_DP || hd->SignatureType != SIGNATURE_TYPE_GUID)
				continue;
			UINTN at = 0;
			while (at + 16 < size && CompareMem(store + at, hd->Signature, 16) != 0)
				at++;
			if (at + 16 >= size)
				continue;
			EFI_BLOCK_IO *io;
			UINT8 sector[4096];
			CHAR16 *fs = L"unknown";
			if (!EFI_ERROR(uefi_call_wrapper(BS->HandleProtocol, 3, handles[i], &BlockIoProtocol, (VOID **)&io)) && io->Media->BlockSize <= sizeof(sector) &&
			    !EFI_ERROR(uefi_call_wrapper(io->ReadBlocks, 5, io, io->Media->MediaId, 0, io->Media->BlockSize, sector))) {
				if (CompareMem(sector + 3, "NTFS", 4) == 0)
					fs = L"NTFS";
				if (CompareMem(sector + 82, "FAT32", 5) == 0)
					fs = L"FAT32";
			}
			Print(L"STAND-IN: the store names partition %d, %s\r\n", hd->PartitionNumber, fs);
		}
	}
}

/* installed looks at what an installed Windows starts with. */
static EFI_STATUS installed(EFI_LOADED_IMAGE *self, UINT8 *store, UINTN size) {
	CHAR16 *files[] = {L"\\EFI\\Microsoft\\Boot\\Fonts\\wgl4_boot.ttf", L"\\EFI\\Microsoft\\Boot\\Resources\\bootres.dll", L"\\EFI\\Microsoft\\Boot\\de-DE\\bootmgfw.efi.mui"};
	UINTN length;
	Print(L"STAND-IN: loaded from %s\r\n", DevicePathToStr(self->FilePath));
	Print(L"STAND-IN: the loader is %s\r\n", path(store, size, L"winload.efi"));
	Print(L"STAND-IN: recovery is %s\r\n", path(store, size, L"Winre.wim"));
	partitions(store, size);
	for (UINTN i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (!get(files[i], (CHAR8 *)"", &length))
			return EFI_LOAD_ERROR;
	Print(L"STAND-IN: the installed Windows would start now\r\n");
	for (;;)
		uefi_call_wrapper(BS->Stall, 1, 1000000);
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table) {
	InitializeLib(image, table);
	EFI_LOADED_IMAGE *self;
	if (EFI_ERROR(uefi_call_wrapper(BS->HandleProtocol, 3, image, &LoadedImageProtocol, (VOID **)&self)))
		return EFI_LOAD_ERROR;
	CHAR16 *store_name = L"\\Boot\\BCD", *font = L"\\Boot\\Fonts\\wgl4_boot.ttf";
	EFI_PXE_BASE_CODE *bc;
	if (!EFI_ERROR(uefi_call_wrapper(BS->HandleProtocol, 3, self->DeviceHandle, &PxeBaseCodeProtocol, (VOID **)&bc)) && bc->Mode->Started) {
		pxe = bc;
		EFI_PXE_BASE_CODE_PACKET *p = &bc->Mode->DhcpAck;
		if (bc->Mode->ProxyOfferReceived)
			p = &bc->Mode->ProxyOffer;
		if (bc->Mode->PxeReplyReceived)
			p = &bc->Mode->PxeReply;
		CopyMem(&server.v4, p->Dhcpv4.BootpSiAddr, 4);
		Print(L"STAND-IN: started by PXE from %d.%d.%d.%d\r\n", server.v4.Addr[0], server.v4.Addr[1], server.v4.Addr[2], server.v4.Addr[3]);
	} else {
		root = LibOpenRoot(self->DeviceHandle);
		if (!root) {
			/* wimboot shows a disk and no file system: Microsoft's has a reader of its own. */
			uefi_call_wrapper(BS->ConnectController, 4, self->DeviceHandle, NULL, NULL, TRUE);
			root = LibOpenRoot(self->DeviceHandle);
		}
		if (!root) {
			Print(L"STAND-IN: neither PXE nor a file system\r\n");
			return EFI_LOAD_ERROR;
		}
		store_name = L"\\EFI\\Microsoft\\Boot\\BCD";
		font = L"\\EFI\\Microsoft\\Boot\\Fonts\\wgl4_boot.ttf";
		Print(L"STAND-IN: started from a disk\r\n");
	}
	UINTN size;
	UINT8 *store = get(store_name, (CHAR8 *)"regf", &size);
	if (!store)
		return EFI_LOAD_ERROR;
	if (root && path(store, size, L"Winre.wim"))
		return installed(self, store, size);
	CHAR16 *sdi = path(store, size, L"boot.sdi"), *wim = path(store, size, L"boot.wim");
	if (!sdi || !wim) {
		Print(L"STAND-IN: the store names no boot.sdi or no boot.wim\r\n");
		return EFI_LOAD_ERROR;
	}
	if (get(font, (CHAR8 *)"", &size) && get(sdi, (CHAR8 *)"$SDI0001", &size) && get(wim, (CHAR8 *)"MSWIM", &size))
		Print(L"STAND-IN: all is there, Windows would start now\r\n");
	for (;;)
		uefi_call_wrapper(BS->Stall, 1, 1000000);
}
